"""Whether a stage that failed is run again (LANGUAGE section 7)."""

from __future__ import annotations

from dockercise_prefect.pipeline import RetryReason, Stage
from dockercise_prefect.pipeline.lifecycle import RetryOn
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus


def delay_before_retry(stage: Stage, result: JobResult) -> float | None:
    """Seconds until the next attempt; None if the stage is not run again.

    Args:
        stage: the stage.
        result: of its latest attempt.
    """
    retries, failure = stage.retries, failure_of(result)
    if retries is None or failure is None or result.attempt > retries.times:
        return None
    if retries.on and failure not in retries.on:
        return None
    return retries.delay_after(result.attempt)


def failure_of(result: JobResult) -> RetryOn | None:
    """Why an attempt failed; None if it did not, or if it was stopped because the run ended."""
    match result.status:
        case StageStatus.TIMED_OUT:
            return RetryReason.TIMEOUT
        case StageStatus.FAILED if result.out_of_memory:
            return RetryReason.OOM
        case StageStatus.FAILED if result.exit_code is not None:
            return result.exit_code
        case StageStatus.FAILED | StageStatus.ERROR:
            return RetryReason.ERROR
        case _:
            return None
