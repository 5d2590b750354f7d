"""The end of a stage as a state in Prefect."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dockercise_prefect.orchestration.run.stage_task import final_state
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus

NOW = datetime(2026, 11, 29, tzinfo=UTC)

STATES = {
    StageStatus.PASSED: ("COMPLETED", "Completed"),
    StageStatus.TOLERATED: ("COMPLETED", "Tolerated"),
    StageStatus.FAILED: ("FAILED", "Failed"),
    StageStatus.TIMED_OUT: ("FAILED", "TimedOut"),
    StageStatus.CANCELLED: ("CANCELLED", "Cancelled"),
    StageStatus.ERROR: ("CRASHED", "Crashed"),
}


def ended(status: StageStatus) -> JobResult:
    """An attempt that ended with this status."""
    return JobResult(stage="a", attempt=1, status=status, exit_code=1, message="why", started=NOW, finished=NOW)


@pytest.mark.parametrize(("status", "expected"), STATES.items())
def test_the_end_of_a_stage_as_a_state(status: StageStatus, expected: tuple[str, str]) -> None:
    """The type decides whether consumers may start; the name and the message show how it ended."""
    state = final_state(ended(status))

    assert (state.type.value, state.name) == expected
    assert state.message == "why"
    assert status.succeeded == state.is_completed()


@pytest.mark.parametrize("status", sorted(set(StageStatus) - STATES.keys()))
def test_no_attempt_ends_otherwise(status: StageStatus) -> None:
    """A status that no attempt can have at its end is a fault of ours, and not shown as something else."""
    with pytest.raises(ValueError, match="cannot end as"):
        final_state(ended(status))
