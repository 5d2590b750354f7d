"""Finds what is left of records whose processes died before they had written anything: no mark says whose they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.cache.paths import CACHE
from dockercise_prefect.results.places.files import storing
from dockercise_prefect.results.reading.records import RUN_ID
from dockercise_prefect.results.record.owner_mark import is_scrap, remove_scraps
from dockercise_prefect.results.record.unsent import NotWaitingError, UnsentRun, without_destination

ABANDONED_AFTER = timedelta(hours=1)
"""The age at which such a folder is left for sure. A process that lives writes its mark within milliseconds."""


@dataclass(frozen=True, slots=True)
class NeverBegun:
    """A folder without a record.

    Attributes:
        pipeline: the name of the pipeline; None if it is not known.
        remove: removes the folder, unless something was written in it in the meantime. Raises `StorageError`.
    """

    path: Path
    pipeline: str | None
    remove: Callable[[], None]


def never_begun(place: Path | None, data: Path, now: datetime) -> Iterator[NeverBegun]:
    """The folders that were made for a record long ago, but have none.

    Args:
        place: the folder of all results; None if the results are in a bucket.
        data: the user's data folder.
        now: the time.

    Raises:
        StorageError: a folder cannot be read.
    """
    for path in sorted(place.glob("*/*")) if place else []:
        if path.parent.name != CACHE and RUN_ID.fullmatch(path.name) and _is_empty(path) and _is_old(path, now):
            yield NeverBegun(path, path.parent.name, partial(_remove_empty, path))
    for unsent in without_destination(data):
        if _is_old(unsent.folder, now):
            yield NeverBegun(unsent.folder, None, partial(_remove_unsent, unsent))


def _is_empty(path: Path) -> bool:
    """Whether there is nothing in the folder besides files that were being written."""
    try:
        return path.is_dir() and all(is_scrap(entry) for entry in path.iterdir())
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", "check its permissions") from error


def _is_old(path: Path, now: datetime) -> bool:
    """Whether nothing in the folder was written for a long time."""
    times = [0.0]
    for each in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):  # it was removed in the meantime
            times.append(each.lstat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC) < now - ABANDONED_AFTER


def _remove_empty(path: Path) -> None:
    if _is_empty(path):
        remove_scraps(path)
        with storing(path), suppress(FileNotFoundError):
            path.rmdir()


def _remove_unsent(unsent: UnsentRun) -> None:
    with suppress(NotWaitingError), unsent.held():  # taking the lock removes a folder without a destination
        return
