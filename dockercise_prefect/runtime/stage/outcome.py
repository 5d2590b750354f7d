"""How a stage ended, worked out from what the engine recorded (LANGUAGE section 3, "Outcome")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dockercise_prefect.runtime.engine import KILLED, ExitState
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class Stop:
    """Why dockercise ended the container, and the status that its stage gets."""

    status: StageStatus
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended: the part of its result that `judge` works out.

    Attributes:
        out_of_memory: whether it failed because it ran out of memory.
    """

    status: StageStatus
    exit_code: int | None
    message: str | None
    out_of_memory: bool = False

    def with_tail(self, tail: str) -> Verdict:
        """The verdict with the last lines of the log below the message. A success gets no lines."""
        if self.status.succeeded or not tail:
            return self
        return replace(self, message=f"{self.message}\n{tail}")


NO_ANSWER = 125
"""The first exit code that is no answer for `if` and `unless`: shells, and engines, report with it that they could not run."""


def judge(state: ExitState, *, stop: Stop | None, never_fail: bool, answers: bool) -> Verdict:
    """What an exit state means.

    Args:
        state: as the engine recorded it.
        stop: why we stopped the container; None if it ended by itself.
        never_fail: any exit code that the engine reported counts as success. This does not apply if the container ran out of
            memory, or if we stopped it.
        answers: the exit code is an answer for another stage (`if`, `unless`). If it is no answer, the stage has failed.
    """
    code = state.exit_code
    if stop is not None:
        return Verdict(stop.status, code, stop.message)
    if code == 0:
        return Verdict(StageStatus.PASSED, code, None)
    if state.oom_killed:
        return Verdict(StageStatus.FAILED, code, f"out of memory (exit code {code})", out_of_memory=True)
    text = f"killed (exit code {code})" if code == KILLED else f"exit code {code}"
    if answers and code < NO_ANSWER:
        return Verdict(StageStatus.TOLERATED, code, f"{text}: the answer is no")
    if never_fail and not answers:
        return Verdict(StageStatus.TOLERATED, code, f"{text}, tolerated (neverFail)")
    return Verdict(StageStatus.FAILED, code, text if state.start_error is None else f"{text}\n{state.start_error}")
