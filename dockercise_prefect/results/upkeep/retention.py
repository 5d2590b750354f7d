"""Which records of a pipeline are not wanted any more, by their age, their number and their size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dockercise_prefect.quantities import shown_bytes


def days_in_words(days: int) -> str:
    """`1 day`, `30 days`."""
    return f"{days} day{'' if days == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of each pipeline. None is no limit.

    Attributes:
        days: the age of a record.
        runs: the number of records.
        size: the bytes of all records together.
    """

    days: int | None = None
    runs: int | None = None
    size: int | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is a limit."""
        return (self.days, self.runs, self.size) != (None, None, None)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One record.

    Attributes:
        size: the bytes of all its files.
        is_over: whether its run has ended.
    """

    run_id: str
    began: datetime
    size: int
    is_over: bool


def surplus(runs: Sequence[StoredRun], limits: Limits, now: datetime) -> Iterator[tuple[StoredRun, str]]:
    """The records of one pipeline that exceed a limit, newest first, each with the reason.

    A run that has not ended is kept and not counted. The newest record of a run that has ended is always kept.

    Args:
        runs: in any order.
        limits: what is kept.
        now: the time.
    """
    ended = sorted((run for run in runs if run.is_over), key=lambda run: run.run_id, reverse=True)
    size = 0
    for number, run in enumerate(ended):
        size += run.size
        if number == 0:
            continue
        if limits.days is not None and now - run.began > timedelta(days=limits.days):
            yield run, f"older than {days_in_words(limits.days)} (keep_days)"
        elif limits.runs is not None and number >= limits.runs:
            yield run, f"not among the newest {limits.runs} (keep_runs)"
        elif limits.size is not None and size > limits.size:
            yield run, f"with the newer records, it is more than {shown_bytes(limits.size)} (keep_size)"
