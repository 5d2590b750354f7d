"""Finds the newest runs of a pipeline with few requests: S3 lists names only forwards, and the newest ones come last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from dockercise_prefect.results.places.s3 import SomeFolders
from dockercise_prefect.results.reading.recorded_run import began
from dockercise_prefect.results.reading.records import RUN_ID

WINDOWS = (1, 8, 64, 512)
"""Days to look back, one after the other, in a pipeline with more runs than one answer lists."""


def newest_runs(list_after: Callable[[str], SomeFolders], before: str | None, count: int, now: datetime) -> list[str]:
    """The ids of the newest runs, newest first. One request for up to 1,000 runs, otherwise rarely more than three.

    Args:
        list_after: lists the first folders of the pipeline after a name.
        before: the id of a run: only runs before it; None for all.
        count: the maximum number of runs.
        now: the current time, in UTC.
    """
    first = list_after("")
    if not first.more or _reaches(first, before):
        return _last(list(first.names), before, count)
    end = began(before) if before else now
    for days in WINDOWS:
        found = _last(_between(list_after, f"{end - timedelta(days=days):%Y%m%dT%H%M%SZ}", before), before, count)
        if len(found) == count:
            return found
    return _last(_between(list_after, "", before), before, count)


def _between(list_after: Callable[[str], SomeFolders], after: str, before: str | None) -> list[str]:
    found: list[str] = []
    while True:
        some = list_after(after)
        found += some.names
        if not some.more or not some.names or _reaches(some, before):
            return found
        after = f"{some.names[-1]}0"  # after everything in that folder: `0` comes next after `/`


def _reaches(some: SomeFolders, before: str | None) -> bool:
    return before is not None and bool(some.names) and some.names[-1] >= before


def _last(names: list[str], before: str | None, count: int) -> list[str]:
    runs = [name for name in names if RUN_ID.fullmatch(name) and (before is None or name < before)]
    return runs[: -count - 1 : -1]
