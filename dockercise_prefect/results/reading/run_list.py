"""Lists of runs, with one line for each run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.reading.run_view import READERS
from dockercise_prefect.results.summary import RunSummary

UNFINISHED = "unfinished"
"""The state of a run without a summary: it is still running, or was aborted."""

BROKEN = "broken"
"""The state of a run whose summary cannot be read."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A run and how it ended.

    Attributes:
        summary: the summary; None if it is missing or broken.
        problem: what is wrong with the record.
    """

    run: RecordedRun
    summary: RunSummary | None
    problem: str | None = None

    @property
    def status(self) -> str:
        """How the run ended, or that this is not known."""
        if self.summary is not None:
            return self.summary.status.value
        return BROKEN if self.problem else UNFINISHED


def listed(runs: Sequence[RecordedRun]) -> list[Listed]:
    """How these runs ended, in the same order.

    Raises:
        StorageError: the place cannot be read.
    """
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(_listed, runs))


def _listed(run: RecordedRun) -> Listed:
    try:
        return Listed(run, run.summary())
    except BrokenRecordError as error:
        return Listed(run, None, error.message)
