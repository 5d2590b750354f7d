"""The states of stages and runs, as in `summary.json` (DESIGN section 3)."""

from __future__ import annotations

from enum import StrEnum

from dockercise_prefect.errors import ExitStatus


class StageStatus(StrEnum):
    """How a stage ended, or that it has not ended yet."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    TOLERATED = "tolerated"
    TIMED_OUT = "timed_out"
    ERROR = "error"
    CACHED = "cached"
    SKIPPED = "skipped"
    NOT_STARTED = "not_started"
    CANCELLED = "cancelled"

    @property
    def succeeded(self) -> bool:
        """Whether the stages that need this one may start."""
        return self in {StageStatus.PASSED, StageStatus.TOLERATED, StageStatus.CACHED, StageStatus.SKIPPED}

    @property
    def to_blame(self) -> bool:
        """Whether the stage is a reason why its run did not pass."""
        return self in {StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR}


class RunStatus(StrEnum):
    """How a run ended. An error of dockercise takes precedence over a failed stage."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def exit_status(self) -> ExitStatus:
        """The exit status of the process for this state."""
        return {
            RunStatus.PASSED: ExitStatus.DONE,
            RunStatus.FAILED: ExitStatus.STAGE_FAILED,
            RunStatus.ERROR: ExitStatus.ENGINE_FAILED,
            RunStatus.CANCELLED: ExitStatus.INTERRUPTED,
        }[self]
