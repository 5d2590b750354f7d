"""The exceptions that a flow raises for a run that did not pass."""

from __future__ import annotations

from datetime import UTC, datetime

from dockercise_prefect.errors import DockerciseError, ExitStatus
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus

NEVER_STARTED = StageSummary(StageStatus.NOT_STARTED, message="not started: the run ended first")
"""The summary of a stage of which nothing was recorded."""


class RunFailedError(DockerciseError):
    """A run did not pass: a stage failed, dockercise failed, or the run was cancelled.

    Args:
        summary: how the run ended.
        cause: the error outside the stages that stopped the run; None if there was no such error.
    """

    def __init__(self, summary: RunSummary, cause: DockerciseError | None = None) -> None:
        super().__init__(cause.message if cause else headline(summary), cause.hint if cause else None)
        self.summary = summary
        self.cause = cause
        self.exit_status: ExitStatus = cause.exit_status if cause else summary.status.exit_status


class ApiLostError(RunFailedError):
    """Prefect did not accept the end of the run.

    Args:
        summary: the summary of the run, which ended in error.
        cause: how Prefect failed.
        is_news: whether the observer has been called with a different end of the run.
    """

    def __init__(self, summary: RunSummary, cause: DockerciseError, *, is_news: bool) -> None:
        super().__init__(summary, cause)
        self.is_news = is_news


class RunInterruptedError(RunFailedError):
    """The process was asked to end before the run began, or after its end was reported. The summary says which."""

    def __init__(self, summary: RunSummary) -> None:
        super().__init__(summary)
        self.exit_status = ExitStatus.INTERRUPTED


def not_begun(pipeline: Pipeline, error: str | None, status: RunStatus) -> RunSummary:
    """The summary of a run that ended before its flow run began.

    Args:
        pipeline: the pipeline that should have run.
        error: the reason; None if the run was cancelled.
        status: how the run ended.
    """
    now = datetime.now(UTC)
    return RunSummary(
        run_id=f"{now:%Y%m%dT%H%M%SZ}-none",
        pipeline=pipeline.name,
        status=status,
        error=error,
        started=now.isoformat(),
        finished=now.isoformat(),
        stages={stage.name: NEVER_STARTED for stage in pipeline},
    )


def headline(summary: RunSummary) -> str:
    """The end of a run in one line: `failed: check (exit code 1)`."""
    return summary.status.value + (f": {', '.join(summary.reasons)}" if summary.reasons else "")
