"""The meaning of exit states."""

import pytest

from dockercise_prefect.runtime.engine import ExitState
from dockercise_prefect.runtime.stage.outcome import Stop, judge
from dockercise_prefect.status import StageStatus

TIMEOUT = Stop(StageStatus.TIMED_OUT, "timed out after 5s")
CANCEL = Stop(StageStatus.CANCELLED, "cancelled: SIGINT")


@pytest.mark.parametrize(
    ("state", "stop", "never_fail", "status", "message"),
    [
        (ExitState(0), None, False, "passed", None),
        (ExitState(0), None, True, "passed", None),
        (ExitState(1), None, False, "failed", "exit code 1"),
        (ExitState(2), None, False, "failed", "exit code 2"),
        (ExitState(127), None, False, "failed", "exit code 127"),
        (ExitState(127, start_error="no such file"), None, False, "failed", "exit code 127\nno such file"),
        (ExitState(137), None, False, "failed", "killed (exit code 137)"),
        (ExitState(137, oom_killed=True), None, False, "failed", "out of memory (exit code 137)"),
        (ExitState(137, oom_killed=True), None, True, "failed", "out of memory (exit code 137)"),
        (ExitState(0, oom_killed=True), None, False, "passed", None),
        (ExitState(3), None, True, "tolerated", "exit code 3, tolerated (neverFail)"),
        (ExitState(137), None, True, "tolerated", "killed (exit code 137), tolerated (neverFail)"),
        (ExitState(137), TIMEOUT, False, "timed_out", "timed out after 5s"),
        (ExitState(0), TIMEOUT, True, "timed_out", "timed out after 5s"),
        (ExitState(143), CANCEL, True, "cancelled", "cancelled: SIGINT"),
    ],
)
def test_an_outcome(state: ExitState, stop: Stop | None, never_fail: bool, status: str, message: str | None) -> None:
    """Every exit state has one meaning; `neverFail` tolerates neither out of memory nor a stop by us."""
    verdict = judge(state, stop=stop, never_fail=never_fail, answers=False)

    assert (verdict.status, verdict.exit_code, verdict.message) == (StageStatus(status), state.exit_code, message)
    assert verdict.out_of_memory is ("out of memory" in str(message))


@pytest.mark.parametrize(
    ("state", "status", "message"),
    [
        (ExitState(0), "passed", None),
        (ExitState(1), "tolerated", "exit code 1: the answer is no"),
        (ExitState(124), "tolerated", "exit code 124: the answer is no"),
        (ExitState(125), "failed", "exit code 125"),
        (ExitState(137), "failed", "killed (exit code 137)"),
        (ExitState(1, oom_killed=True), "failed", "out of memory (exit code 1)"),
    ],
)
@pytest.mark.parametrize("never_fail", [False, True])
def test_an_answer(state: ExitState, status: str, message: str | None, *, never_fail: bool) -> None:
    """The exit code of a stage that is asked is its answer; 125 and above is no answer, even with `neverFail`."""
    verdict = judge(state, stop=None, never_fail=never_fail, answers=True)

    assert (verdict.status, verdict.message) == (StageStatus(status), message)


def test_a_failure_shows_the_last_lines() -> None:
    """The message of a failure is a short line followed by the end of the log."""
    verdict = judge(ExitState(2), stop=None, never_fail=False, answers=False)

    assert verdict.with_tail("a\nb").message == "exit code 2\na\nb"


@pytest.mark.parametrize(("state", "never_fail"), [(ExitState(0), False), (ExitState(2), True)])
def test_a_success_shows_no_lines(state: ExitState, never_fail: bool) -> None:
    """The message of a success does not contain the stage's output."""
    verdict = judge(state, stop=None, never_fail=never_fail, answers=False)

    assert verdict.with_tail("a\nb") == verdict
