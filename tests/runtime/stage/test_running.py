"""How running things are stopped: by their timeout, by a cancelled run, by a killed run."""

from __future__ import annotations

import threading

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.stage.running import Deadline, EndedAtOnceError, Running
from dockercise_prefect.status import StageStatus
from tests.runtime.workspaces import cancelled

LONG = 60.0
"""A number of seconds that passes only if something hangs."""


class Thing:
    """Something that runs until it is made to end.

    Attributes:
        graces: the graces that it was given, in order. ended: whether it was made to end.
    """

    def __init__(self, refuses: int = 0) -> None:
        self.graces: list[float] = []
        self.ended = threading.Event()
        self._refuses = refuses

    def end(self, grace: float) -> None:
        """Make this end (`running.Ending`)."""
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
    """The running things of a run, each with a grace of 7 seconds."""
    return Running(said.append)


def test_cancelling_stops_what_runs_with_grace(running: Running) -> None:
    """Everything that runs is made to end with a grace, and its watch has the reason."""
    thing = Thing()
    with running.watch(thing.end, None, 7) as watch:
        running.cancel(cancelled("because"))
        assert thing.ended.wait(LONG)

    assert watch.stop == Stop(StageStatus.CANCELLED, "cancelled: because")
    assert thing.graces[0] == 7


def test_killing_stops_it_at_once_and_keeps_the_reason(running: Running) -> None:
    """A run that is cancelled and then killed stays cancelled for the first reason."""
    thing = Thing()
    with running.watch(thing.end, None, 7) as watch:
        running.cancel(cancelled("because"))
        assert thing.ended.wait(LONG)
        thing.ended.clear()
        running.kill(cancelled("hurry"))
        assert thing.ended.wait(LONG)

    assert watch.stop == Stop(StageStatus.CANCELLED, "cancelled: because")
    assert 0 in thing.graces


def test_nothing_starts_in_a_cancelled_run(running: Running) -> None:
    """A watch that begins in a cancelled run is stopped from its start."""
    running.cancel(cancelled("because"))

    with running.watch(Thing().end, None, 7) as watch:
        assert watch.stop is not None

    assert running.cancelled == watch.stop


def test_its_time_is_over(running: Running) -> None:
    """After its deadline a stage is stopped with a grace, and counts as timed out."""
    thing = Thing()
    with running.watch(thing.end, Deadline(0.05), 7) as watch:
        assert thing.ended.wait(LONG)

    assert watch.stop == Stop(StageStatus.TIMED_OUT, "timed out after 0.05s")
    assert thing.graces[0] == 7


def test_what_ended_in_time_is_left_alone(running: Running) -> None:
    """A deadline after the end stops nothing."""
    thing = Thing()
    with running.watch(thing.end, Deadline(0.2), 7) as watch:
        pass

    assert not thing.ended.wait(0.5)
    assert watch.stop is None


def test_a_refusal_is_said_once_and_tried_again(running: Running, said: list[str]) -> None:
    """If the engine refuses to stop a container, the stop is repeated until it succeeds, and the refusal is reported once."""
    thing = Thing(refuses=2)
    with running.watch(thing.end, None, 7):
        running.cancel(cancelled("because"))
        assert thing.ended.wait(LONG)

    assert said == ["a container could not be stopped, trying again: not now"]


def test_the_first_reason_holds(running: Running) -> None:
    """A stage that is stopped for two reasons keeps the first."""
    thing = Thing(refuses=10_000)
    first, second = Stop(StageStatus.ERROR, "first"), Stop(StageStatus.FAILED, "second")
    with running.watch(thing.end, None, 7) as watch:
        assert watch.decide(first)
        assert watch.decide(second)

    assert watch.stop == first
    assert not watch.decide(second)


def test_waiting_until_nothing_runs(running: Running) -> None:
    """`wait` returns true when nothing runs, and false if its time is over first."""
    with running.watch(Thing().end, None, 7):
        while_it_runs = running.wait(0.05)

    assert (while_it_runs, running.wait(LONG)) == (False, True)


def test_what_takes_long_is_told_to_end(running: Running) -> None:
    """Copies end when the run is cancelled; work that has to go on then ends when it is killed."""
    running.refuse_when_cancelled()
    running.cancel(cancelled("because"))
    with pytest.raises(EngineError, match="cancelled: because"):
        running.refuse_when_cancelled()
    running.refuse_when_killed()

    running.kill(cancelled("hurry"))

    with pytest.raises(EndedAtOnceError):
        running.refuse_when_killed()


def test_the_time_that_is_left() -> None:
    """A deadline counts down to zero, and a stage without a timeout has none."""
    deadline = Deadline.of(LONG)

    assert Deadline.of(None) is None
    assert deadline is not None
    assert 0 < deadline.left <= LONG
    assert Deadline(0).left == 0
