"""The scheduler without Prefect: when it submits task runs, and what it does after a failure or a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from dockercise_prefect.orchestration.scheduling import scheduler as module
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.status import StageStatus
from tests.orchestration.scheduling.scheduler_world import GO, World


def test_stages_are_submitted_when_all_they_need_has_ended(world: Callable[..., World]) -> None:
    """The stages of a diamond run in its order, and all of them pass."""
    run = world({"a": "", "b": "a", "c": "a", "d": "bc"})

    assert run.execute() is None

    assert (run.tasks.submitted[0], run.tasks.submitted[-1]) == ("a", "d")
    assert run.statuses() == dict.fromkeys("abcd", "passed")
    assert run.asked == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_run_at_once_than_asked(world: Callable[..., World], jobs: int) -> None:
    """Of ten independent stages, at most `jobs` are submitted at the same time."""
    run = world(dict.fromkeys("abcdefghij", ""))

    run.execute(jobs)

    assert sorted(run.tasks.submitted) == list("abcdefghij")
    assert run.tasks.most <= jobs


def test_what_comes_after_a_failure_is_blocked(world: Callable[..., World]) -> None:
    """Stages after a failure never start and name the failed stage; others go on."""
    run = world({"a": "", "b": "a", "c": "b", "o": ""}, statuses={"a": StageStatus.FAILED})

    run.execute()

    assert run.tasks.blocked == {"b": "not started: a failed", "c": "not started: a failed"}
    assert run.statuses() == {"a": "failed", "b": "not_started", "c": "not_started", "o": "passed"}


def test_a_task_that_breaks_is_an_error(world: Callable[..., World]) -> None:
    """A task run that ends without a result is an error of ours, and blocks the stages after it."""
    run = world({"a": "", "b": "a"}, statuses={"a": StageStatus.RUNNING})

    run.execute()

    assert run.record.stage("a").message == "internal error: it broke"
    assert run.statuses() == {"a": "error", "b": "not_started"}


def test_the_first_failure_stops_the_rest_where_asked(world: Callable[..., World]) -> None:
    """With `fail_fast`, running stages are stopped and no more are submitted."""
    gate = threading.Event()
    run = world({"a": "", "s": "", "n": "s"}, statuses={"a": StageStatus.FAILED}, gates={"s": gate})
    run.on_stop = gate.set

    run.execute(fail_fast=True)

    assert run.asked == ["stop: a failed and the run fails fast"]
    assert sorted(run.tasks.submitted) == ["a", "s"]
    assert run.record.stage("n").message == "not started: a failed and the run fails fast"


def test_a_signal_stops_the_run(world: Callable[..., World]) -> None:
    """The first signal asks the running stages to end, and becomes the scheduler's answer."""
    gate = threading.Event()
    run = world({"a": "", "b": "a"}, gates={"a": gate}, statuses={"a": StageStatus.CANCELLED})
    run.on_stop = gate.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run.execute() == "SIGTERM"

    assert run.asked == ["stop: the run was cancelled by SIGTERM"]
    assert run.statuses() == {"a": "cancelled", "b": "not_started"}


def test_further_signals_kill_and_then_nothing_is_waited_for(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second signal kills; if the engine does not answer in time, the running stages are abandoned."""
    monkeypatch.setattr(module, "KILL_SECONDS", 0.1)
    gate = threading.Event()
    run = world({"a": ""}, gates={"a": gate}, statuses={"a": StageStatus.CANCELLED})
    run.on_stop = lambda: os.kill(os.getpid(), signal.SIGINT)
    run.on_abandon = gate.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run.execute() == "SIGINT"

    assert run.asked == ["stop: the run was cancelled by SIGTERM", "kill", "abandon"]


def test_clean_up_runs_after_a_stop(world: Callable[..., World]) -> None:
    """After a signal, running stages are stopped, waiting ones are not started, and clean-up stages run with what there is."""
    gate = threading.Event()
    run = world({"a": "", "b": "a", "C": "ab"}, gates={"a": gate}, statuses={"a": StageStatus.CANCELLED})
    run.on_stop = gate.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run.execute() == "SIGTERM"

    assert run.statuses() == {"a": "cancelled", "b": "not_started", "C": "passed"}
    assert run.tasks.inputs["C"] == {"a"}
    assert run.record.standing == "cancelled"


def test_clean_up_has_a_time_limit(world: Callable[..., World]) -> None:
    """Clean-up stages that take too long after a stop are stopped, and no more of them start."""
    gate, clean = threading.Event(), threading.Event()
    run = world(
        {"a": "", "C": "a", "D": "C"},
        {"cleanup_grace": 0.1},
        gates={"a": gate, "C": clean},
        statuses={"a": StageStatus.CANCELLED, "C": StageStatus.CANCELLED},
    )
    run.on_stop, run.on_stop_cleanup = gate.set, clean.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    run.execute()

    assert run.asked[1:] == ["stop clean-up: cancelled: the clean-up took longer than 0.1s"]
    assert run.record.stage("D").message == "not started: the clean-up took longer than 0.1s"


def test_a_second_signal_ends_clean_up_too(world: Callable[..., World]) -> None:
    """The second signal kills clean-up stages, and those that wait never start."""
    gate, clean = threading.Event(), threading.Event()
    run = world(
        {"a": "", "C": "a", "D": "C"},
        gates={"a": gate, "C": clean},
        statuses={"a": StageStatus.CANCELLED, "C": StageStatus.CANCELLED},
    )
    run.on_stop, run.on_kill = gate.set, clean.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()

    run.execute()

    assert run.asked == ["stop: the run was cancelled by SIGTERM", "kill"]
    assert run.record.stage("D").message == "not started: the run was killed"


def test_a_run_that_takes_too_long_is_stopped(world: Callable[..., World]) -> None:
    """At the run's timeout, running stages are stopped as timed out, and the rest does not start."""
    gate = threading.Event()
    run = world({"a": "", "b": "a", "C": "b"}, {"timeout": 0.2}, gates={"a": gate}, statuses={"a": StageStatus.TIMED_OUT})
    run.on_stop = gate.set

    assert run.execute() is None

    assert run.reasons == [Stop(StageStatus.TIMED_OUT, "timed out: the run timed out after 0.2s")]
    assert run.record.stage("b").message == "not started: the run timed out after 0.2s"
    assert run.statuses() == {"a": "timed_out", "b": "not_started", "C": "passed"}
    assert run.record.standing == "failed"


def test_a_stage_between_attempts_needs_no_slot(world: Callable[..., World]) -> None:
    """While a stage waits for its next attempt, another one runs in its slot; then it gets one again."""
    gate = threading.Event()
    run = world({"a": "", "b": ""}, pauses={"a": [0.1]}, gates={"a": GO, "b": gate})
    threading.Timer(0.5, gate.set).start()

    run.execute(jobs=1)

    assert run.tasks.resumed == {"a": True}
    assert run.tasks.most == 1
    assert run.statuses() == {"a": "passed", "b": "passed"}


def test_a_stop_ends_the_wait_for_the_next_attempt(world: Callable[..., World]) -> None:
    """A stage that waits an hour for its next attempt ends at once when the run is stopped."""
    run = world({"a": ""}, pauses={"a": [3600.0]}, statuses={"a": StageStatus.FAILED})
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    run.execute()

    assert run.tasks.resumed == {"a": False}
    assert run.statuses() == {"a": "failed"}


def test_skipped_stages_are_recorded_with_the_reason(world: Callable[..., World]) -> None:
    """A stage that is skipped beforehand is no failure, and stages that come after it run."""
    run = world({"a": "", "b": "a"})
    run.skipped = {"a": "the branch is dev"}

    run.execute()

    assert run.record.stage("a").message == "skipped: the branch is dev"
    assert run.statuses() == {"a": "skipped", "b": "passed"}
