"""The summaries of runs whose folder of results could not be written any more. They are in the user's data folder instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.forwarding import Forwarding
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


class WithEndings(Forwarding):
    """`Objects` of a place, together with the summaries that it did not accept.

    Args:
        objects: the place.
        data: the user's data folder.
    """

    def __init__(self, objects: Objects, data: Path) -> None:
        super().__init__(objects)
        self._ended = FolderObjects(data / ENDED)

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """See `Objects`."""
        try:
            yield from super().chunks(path, start)
        except NotStoredError:
            if path.rpartition("/")[2] != SUMMARY:
                raise
            yield from self._ended.chunks(path, start)

    def sizes(self, path: str) -> dict[str, int]:
        """See `Objects`."""
        return self._ended.sizes(path) | super().sizes(path)

    def stored(self, path: str) -> dict[str, Stored]:
        """See `Objects`."""
        return self._ended.stored(path) | super().stored(path)

    def remove_folder(self, path: str, last: str) -> None:
        """See `Objects`."""
        super().remove_folder(path, last)
        self._ended.remove_folder(path, last)
