"""Where records of runs lie, as a protocol: a folder, or a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Protocol

from dockercise_prefect.errors import StorageError


class NotStoredError(StorageError):
    """There is nothing under that path."""


class RefusedError(StorageError):
    """The place answered that it will not, and will say the same the next time."""


class Objects(Protocol):
    """Paths, with `/` between their parts and none at either end, to bytes.

    The parts are names of pipelines, runs and files as they are; nothing is quoted. Every method may be called from several
    threads at once. What is written can be read by nobody but the user.

    Raises:
        StorageError: from every method: the place cannot be read or written; names it, and what to do.
    """

    @property
    def url(self) -> str:
        """The absolute URL of the place, without a `/` at its end."""
        ...

    def folders(self, path: str) -> list[str]:
        """The names of the folders right below a path, sorted; none where there is nothing. An empty path is the place."""
        ...

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """The bytes under a path from the offset `start` on, in pieces; none where it is the end or behind it.

        Raises:
            NotStoredError: there is nothing, said before the first piece.
        """
        ...

    def put(self, path: str, content: BinaryIO) -> None:
        """Store what can be read from `content`, in bounded memory. An older object is replaced; half of one is never seen."""
        ...

    def remove(self, path: str) -> None:
        """Remove the object, if it is there."""
        ...

    def link(self, path: str) -> str:
        """An address at which a browser finds the object, whether it is there yet or not."""
        ...


def read(objects: Objects, path: str) -> bytes:
    """All that lies under a path.

    Raises:
        NotStoredError: there is nothing.
        StorageError: the place cannot be read.
    """
    return b"".join(objects.chunks(path))


def remove_outdated(objects: Objects, path: str) -> None:
    """Remove an object that another one took the place of, so that nobody reads it any more; where that fails, it stays."""
    with suppress(StorageError):
        objects.remove(path)
