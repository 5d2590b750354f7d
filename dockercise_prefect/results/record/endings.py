"""How runs ended whose folder of results could not be written any more: kept in the user's data folder instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import NotStoredError, Objects
from dockercise_prefect.results.record.amend import rewrite_summary
from dockercise_prefect.results.record.local_store import SUMMARY
from dockercise_prefect.results.summary import RunSummary

ENDED = "ended"
"""Below the user's data folder; in it, paths are those of the place of results."""


def end_elsewhere(summary: RunSummary, data: Path) -> None:
    """Keep how a run ended, which its place did not take: it is not to be listed for ever as one that goes on.

    Args:
        summary: of the run.
        data: the user's data folder.

    Raises:
        StorageError: nor does the data folder.
    """
    rewrite_summary(FolderObjects(data / ENDED), summary)


class WithEndings:
    """`Objects` of a place, with the summaries that it did not take.

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

    def link(self, path: str) -> str:
        """See `Objects`."""
        return self._objects.link(path)
