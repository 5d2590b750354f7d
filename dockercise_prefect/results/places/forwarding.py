"""A place that passes everything on to another one. Subclasses change some of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from dockercise_prefect.results.places.objects import Objects, Stored


class Forwarding:
    """`Objects` of another place. See there for the methods.

    Args:
        objects: the other place.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @property
    def url(self) -> str:
        """See `Objects`."""
        return self._objects.url

    def folders(self, path: str) -> list[str]:
        """See `Objects`."""
        return self._objects.folders(path)

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """See `Objects`."""
        return self._objects.chunks(path, start)

    def put(self, path: str, content: BinaryIO) -> None:
        """See `Objects`."""
        self._objects.put(path, content)

    def remove(self, path: str) -> None:
        """See `Objects`."""
        self._objects.remove(path)

    def sizes(self, path: str) -> dict[str, int]:
        """See `Objects`."""
        return self._objects.sizes(path)

    def stored(self, path: str) -> dict[str, Stored]:
        """See `Objects`."""
        return self._objects.stored(path)

    def remove_folder(self, path: str, last: str) -> None:
        """See `Objects`."""
        self._objects.remove_folder(path, last)

    def link(self, path: str) -> str:
        """See `Objects`."""
        return self._objects.link(path)
