"""The protocol of places with records of runs: a folder or a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from dockercise_prefect.errors import StorageError


class NotStoredError(StorageError):
    """There is no object at the path."""


class RefusedError(StorageError):
    """The place refused the request. Another try will not help."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing has it.

    Attributes:
        size: its bytes.
        written: when it was written last, by the clock of the place.
        tag: another text if the content is another one; empty where the place has no such thing.
    """

    size: int
    written: datetime
    tag: str = ""


class Objects(Protocol):
    """Maps paths to bytes. Paths have `/` between their parts, and no `/` at either end.

    The parts are the unchanged names of pipelines, runs and files, without quoting. Every method may be called from several
    threads at once. Only the user can read what is written.

    Raises:
        StorageError: from every method: the place cannot be read or written. The message names the place and what to do.
    """

    @property
    def url(self) -> str:
        """The absolute URL of the place, without a `/` at its end."""
        ...

    def folders(self, path: str) -> list[str]:
        """The names of the folders directly below a path, sorted; empty if nothing is there. An empty path is the place."""
        ...

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of the object at a path from the offset `start` on, in pieces. No pieces if `start` is at or after the end.

        Raises:
            NotStoredError: there is no object at the path. Raised before the first piece.
        """
        ...

    def put(self, path: str, content: BinaryIO) -> None:
        """Store the rest of `content`, in bounded memory. Replaces an older object. Objects are never half-written."""
        ...

    def remove(self, path: str) -> None:
        """Remove the object, if it exists."""
        ...

    def sizes(self, path: str) -> dict[str, int]:
        """The bytes of each object below a folder, at any depth, by its path below that folder."""
        ...

    def stored(self, path: str) -> dict[str, Stored]:
        """The same as `sizes`, with the times."""
        ...

    def remove_folder(self, path: str, last: str) -> None:
        """Remove all objects below a folder. If this is interrupted, what is left can be removed later.

        Args:
            path: the folder. It need not exist.
            last: the path below the folder of the object that is removed last, where objects are removed one by one.
        """
        ...

    def link(self, path: str) -> str:
        """The address of the object for a browser. The object need not exist yet."""
        ...


def read(objects: Objects, path: str) -> bytes:
    """All bytes of the object at a path.

    Raises:
        NotStoredError: there is no object at the path.
        StorageError: the place cannot be read.
    """
    return b"".join(objects.chunks(path))


def remove_outdated(objects: Objects, path: str) -> None:
    """Remove an object that another one has replaced and that nobody reads any more. If that fails, the object stays."""
    with suppress(StorageError):
        objects.remove(path)
