"""How a stage ended, worked out from what the engine recorded (LANGUAGE section 3, "Outcome")."""

from __future__ import annotations

from dataclasses import dataclass

from dockercise_prefect.runtime.engine import KILLED, ExitState
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class Stop:
    """Why dockercise ended the container, and the status that its stage gets."""

    status: StageStatus
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a stage ended: the part of its result that `judge` works out."""

    status: StageStatus
    exit_code: int | None
    message: str | None

    def with_tail(self, tail: str) -> Verdict:
        """The verdict with the last lines of the log below the message. A success gets no lines."""
        if self.status.succeeded or not tail:
            return self
        return Verdict(self.status, self.exit_code, f"{self.message}\n{tail}")


def judge(state: ExitState, *, stop: Stop | None, never_fail: bool) -> Verdict:
    """What an exit state means.

    Args:
        state: as the engine recorded it.
        stop: why we stopped the container; None if it ended by itself.
        never_fail: any exit code that the engine reported counts as success. This does not apply if the container ran out of
            memory, or if we stopped it.
    """
    code = state.exit_code
    if stop is not None:
        return Verdict(stop.status, code, stop.message)
    if code == 0:
        return Verdict(StageStatus.PASSED, code, None)
    if state.oom_killed:
        return Verdict(StageStatus.FAILED, code, f"out of memory (exit code {code})")
    text = f"killed (exit code {code})" if code == KILLED else f"exit code {code}"
    if never_fail:
        return Verdict(StageStatus.TOLERATED, code, f"{text}, tolerated (neverFail)")
    return Verdict(StageStatus.FAILED, code, text if state.start_error is None else f"{text}\n{state.start_error}")
