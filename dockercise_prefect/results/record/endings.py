"""The summaries of runs whose folder of results could not be written any more. They are in the user's data folder instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import NotStoredError, Objects, Stored
from dockercise_prefect.results.record.amend import rewrite_summary
from dockercise_prefect.results.record.file_names import SUMMARY
from dockercise_prefect.results.summary import RunSummary

ENDED = "ended"
"""The folder below the user's data folder. Its paths are the same as in the place of results."""


def end_elsewhere(summary: RunSummary, data: Path) -> None:
    """Store the summary of a run that its place did not accept. Without it, the run would be listed as running forever.

    Args:
        summary: the summary of the run.
        data: the user's data folder.

    Raises:
        StorageError: the data folder cannot be written either.
    """
    rewrite_summary(FolderObjects(data / ENDED), summary)


class WithEndings:
    """`Objects` of a place, together with the summaries that it did not accept.

    Args:
        objects: the place.
        data: the user's data folder.
    """

    def __init__(self, objects: Objects, data: Path) -> None:
        self._objects = objects
        self._ended = FolderObjects(data / ENDED)

    @property
    def url(self) -> str:
        """See `Objects`."""
        return self._objects.url

    def folders(self, path: str) -> list[str]:
        """See `Objects`."""
        return self._objects.folders(path)

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """See `Objects`."""
        try:
            yield from self._objects.chunks(path, start)
        except NotStoredError:
            if path.rpartition("/")[2] != SUMMARY:
                raise
            yield from self._ended.chunks(path, start)

    def put(self, path: str, content: BinaryIO) -> None:
        """See `Objects`."""
        self._objects.put(path, content)

    def remove(self, path: str) -> None:
        """See `Objects`."""
        self._objects.remove(path)

    def sizes(self, path: str) -> dict[str, int]:
        """See `Objects`."""
        return self._ended.sizes(path) | self._objects.sizes(path)

    def stored(self, path: str) -> dict[str, Stored]:
        """See `Objects`."""
        return self._ended.stored(path) | self._objects.stored(path)

    def remove_folder(self, path: str, last: str) -> None:
        """See `Objects`."""
        self._objects.remove_folder(path, last)
        self._ended.remove_folder(path, last)

    def link(self, path: str) -> str:
        """See `Objects`."""
        return self._objects.link(path)
