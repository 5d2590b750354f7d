"""What runs, and how it is stopped: by its time, by a cancelled run, by one that is killed."""

from __future__ import annotations

import threading

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.stage.running import Deadline, EndedAtOnceError, Running
from dockercise_prefect.status import StageStatus

LONG = 60.0
"""Seconds that no test waits for, unless something hangs."""


class Thing:
    """Something that runs until it is made to end.

    Attributes:
        graces: that it was given, in order. ended: whether it was made to end.
    """

    def __init__(self, refuses: int = 0) -> None:
        self.graces: list[float] = []
        self.ended = threading.Event()
        self._refuses = refuses

    def end(self, grace: float) -> None:
        """Make it end (`running.Ending`)."""
        self.graces.append(grace)
        if len(self.graces) > self._refuses:
            self.ended.set()
        else:
            raise EngineError("not now")


@pytest.fixture
def said() -> list[str]:
    """Lines for the user."""
    return []


@pytest.fixture
def running(said: list[str]) -> Running:
    """What runs, with a grace of 7 seconds."""
    return Running(7, said.append)


def test_cancelling_stops_what_runs_with_grace(running: Running) -> None:
    """What runs is made to end with grace, and its watch says why."""
    thing = Thing()
    with running.watch(thing.end, None) as watch:
        running.cancel("because")
        assert thing.ended.wait(LONG)

    assert watch.stop == Stop(StageStatus.CANCELLED, "cancelled: because")
    assert thing.graces[0] == 7


def test_killing_stops_it_at_once_and_keeps_the_reason(running: Running) -> None:
    """A run that was cancelled and is killed then stays cancelled for the first reason."""
    thing = Thing()
    with running.watch(thing.end, None) as watch:
        running.cancel("because")
        assert thing.ended.wait(LONG)
        thing.ended.clear()
        running.kill("hurry")
        assert thing.ended.wait(LONG)

    assert watch.stop == Stop(StageStatus.CANCELLED, "cancelled: because")
    assert 0 in thing.graces


def test_nothing_starts_in_a_cancelled_run(running: Running) -> None:
    """A watch that begins after the end says so from its start."""
    running.cancel("because")

    with running.watch(Thing().end, None) as watch:
        assert watch.stop is not None

    assert running.cancelled == watch.stop


def test_its_time_is_over(running: Running) -> None:
    """After its deadline a stage is stopped with grace, and has timed out."""
    thing = Thing()
    with running.watch(thing.end, Deadline(0.05)) as watch:
        assert thing.ended.wait(LONG)

    assert watch.stop == Stop(StageStatus.TIMED_OUT, "timed out after 0.05s")
    assert thing.graces[0] == 7


def test_what_ended_in_time_is_left_alone(running: Running) -> None:
    """A deadline that comes after the end stops nothing."""
    thing = Thing()
    with running.watch(thing.end, Deadline(0.2)) as watch:
        pass

    assert not thing.ended.wait(0.5)
    assert watch.stop is None


def test_a_refusal_is_said_once_and_tried_again(running: Running, said: list[str]) -> None:
    """An engine that refuses to stop a container is asked until it does."""
    thing = Thing(refuses=2)
    with running.watch(thing.end, None):
        running.cancel("because")
        assert thing.ended.wait(LONG)

    assert said == ["a container could not be stopped, trying again: not now"]


def test_the_first_reason_holds(running: Running) -> None:
    """A stage that is stopped for two reasons is told the first."""
    thing = Thing(refuses=10_000)
    first, second = Stop(StageStatus.ERROR, "first"), Stop(StageStatus.FAILED, "second")
    with running.watch(thing.end, None) as watch:
        assert watch.decide(first)
        assert watch.decide(second)

    assert watch.stop == first
    assert not watch.decide(second)


def test_waiting_until_nothing_runs(running: Running) -> None:
    """`wait` is true when nothing runs, and false when its time is over first."""
    with running.watch(Thing().end, None):
        while_it_runs = running.wait(0.05)

    assert (while_it_runs, running.wait(LONG)) == (False, True)


def test_what_takes_long_is_told_to_end(running: Running) -> None:
    """Copies end when the run is cancelled; what is to be done even so ends when it is killed."""
    running.refuse_when_cancelled()
    running.cancel("because")
    with pytest.raises(EngineError, match="cancelled: because"):
        running.refuse_when_cancelled()
    running.refuse_when_killed()

    running.kill("hurry")

    with pytest.raises(EndedAtOnceError):
        running.refuse_when_killed()


def test_the_time_that_is_left() -> None:
    """A deadline counts down to zero, and a stage without a timeout has none."""
    deadline = Deadline.of(LONG)

    assert Deadline.of(None) is None
    assert deadline is not None
    assert 0 < deadline.left <= LONG
    assert Deadline(0).left == 0
