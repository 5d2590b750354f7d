"""The exceptions by which a run that did not pass leaves its flow."""

from __future__ import annotations

from dockercise_prefect.errors import DockerciseError, ExitStatus
from dockercise_prefect.results.summary import RunSummary


class RunFailedError(DockerciseError):
    """A run did not pass: a stage failed, we failed, or it was cancelled.

    Args:
        summary: how it ended.
        cause: what stopped it outside its stages, None when nothing did.
    """

    def __init__(self, summary: RunSummary, cause: DockerciseError | None = None) -> None:
        super().__init__(cause.message if cause else headline(summary), cause.hint if cause else None)
        self.summary = summary
        self.cause = cause
        self.exit_status: ExitStatus = cause.exit_status if cause else summary.status.exit_status


class ApiLostError(RunFailedError):
    """The run was over and told, and then Prefect did not take its end: it is in error after all."""


def headline(summary: RunSummary) -> str:
    """What is said of a run in one line: `failed: check (exit code 1)`."""
    return summary.status.value + (f": {', '.join(summary.reasons)}" if summary.reasons else "")
