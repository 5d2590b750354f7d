"""Stages with `each`, scheduled without an engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError, StageError
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.scheduling.groups import group_end
from dockercise_prefect.pipeline import Pipeline, each, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.status import StageStatus
from tests.orchestration.scheduling.scheduler_world import Lines, Store, Tasks, World

MANY = [f"line {number}" for number in range(1_000)]


class Cancelling(threading.Event):
    """A gate. Who waits at it cancels the run first."""

    cancel: Callable[[], None]

    def wait(self, timeout: float | None = None) -> bool:
        self.cancel()
        return super().wait(timeout)


@pytest.fixture
def fan_out(tmp_path: Path) -> Callable[..., World]:
    """A run of `lines`, `test` with a member for each of the keys, and `end` after all of them."""

    def make(keys: list[str], limit: int | None = None, **how: object) -> World:
        lines = stage("lines", image="i", run="x")
        test = stage("test", image="i", run="x", each=each(lines, limit=limit))
        end = stage("end", image="i", run="x", env={"TEST": test.value}, volumes=[test.volume])
        pipeline = Pipeline("p", [lines, test, end])
        store = LocalStore(tmp_path, "p", "run")
        store.start(to_json(pipeline))
        record = RunRecord(store, lambda _event: None, Secrecy(pipeline))
        return World(pipeline, record, Tasks(record, **how), lines=Lines({"test": keys}))  # type: ignore[arg-type]  # free

    return make


def test_consumers_wait_for_all(fan_out: Callable[..., World]) -> None:
    """A stage after a group starts when all members have ended, and gets the result of each, but not of the lines."""
    world = fan_out(["a", "b"])

    world.execute()

    assert world.tasks.submitted == ["lines", "test(a)", "test(b)", "end"]
    assert world.tasks.inputs["end"] == {"test(a)", "test(b)"}
    assert world.tasks.inputs["test(a)"] == set()
    assert world.tasks.groups == {"test": "passed: 2 members passed"}
    assert world.record.stages()["test"].status is StageStatus.PASSED


def test_the_entry_of_a_member(fan_out: Callable[..., World]) -> None:
    """The entry of a member in the summary says which member of which stage it is."""
    world = fan_out(["a"])

    world.execute()

    assert world.record.stages()["test(a)"].to_json()["instance"] == {"of": "test", "key": "a"}
    assert "instance" not in world.record.stages()["test"].to_json()


def test_a_limit_of_its_own(fan_out: Callable[..., World]) -> None:
    """Of a thousand members, never more run at once than the group allows, although the run would allow more."""
    world = fan_out(MANY, limit=3)

    world.execute(jobs=50)

    assert len(world.tasks.submitted) == 1_002
    assert world.tasks.most <= 3


def test_the_limit_of_the_run(fan_out: Callable[..., World]) -> None:
    """Without a limit of its own, a group starts as many members at once as the run allows."""
    world = fan_out(MANY)

    world.execute(jobs=7)

    assert world.tasks.most <= 7


def test_failing_members(fan_out: Callable[..., World]) -> None:
    """Members that fail do not keep the others from running. The group has failed, and nothing after it is started."""
    failing = {f"test({MANY[number]})": StageStatus.FAILED for number in (0, 500, 999)}
    world = fan_out(MANY, statuses=failing)

    world.execute(jobs=10)

    statuses = world.statuses()
    assert sum(status == "passed" for name, status in statuses.items() if name.startswith("test(")) == 997
    assert statuses["test"] == "failed"
    assert statuses["end"] == "not_started"
    assert world.tasks.blocked["end"] == "not started: test failed"
    named = "test(line 0), test(line 500), test(line 999)"
    assert world.record.stages()["test"].message == f"3 of 1,000 members failed: {named}"


@pytest.mark.parametrize("limit", [None, 1])
def test_cancelled_in_the_middle(fan_out: Callable[..., World], limit: int | None) -> None:
    """When a run is cancelled, the members that run end, and the others never start, each with the reason."""
    gate = Cancelling()
    world = fan_out(MANY, limit, gates={"test(line 3)": gate})
    gate.cancel = lambda: world.scheduler[0].interrupt("SIGINT")
    world.on_stop = gate.set

    assert world.execute(jobs=1) == "SIGINT"

    statuses = world.statuses()
    ran = [f"test(line {number})" for number in range(4)]
    assert [name for name, status in statuses.items() if status == "passed"] == ["lines", *ran]
    assert sum(status == "not_started" for name, status in statuses.items() if name.startswith("test(")) == 996
    assert statuses["test"] == "not_started"
    assert world.record.stages()["test(line 999)"].message == "not started: the run was cancelled by SIGINT"


def test_fail_fast(fan_out: Callable[..., World]) -> None:
    """With `--fail-fast`, no further member starts after one has failed."""
    world = fan_out(["a", "b", "c"], statuses={"test(a)": StageStatus.FAILED})

    world.execute(jobs=1, fail_fast=True)

    assert world.statuses() == {
        "lines": "passed",
        "test": "failed",
        "test(a)": "failed",
        "test(b)": "not_started",
        "test(c)": "not_started",
        "end": "not_started",
    }


def test_no_line(fan_out: Callable[..., World]) -> None:
    """A group without members passes, with nothing to do, and the stages after it run."""
    world = fan_out([])

    world.execute()

    assert world.tasks.submitted == ["lines", "end"]
    assert world.record.stages()["test"].message == "nothing to do: there is no line"


@pytest.mark.parametrize(
    ("error", "status"), [(StageError("too many"), "failed"), (EngineError("lost"), "error")], ids=["failed", "error"]
)
def test_no_members_can_be_made(fan_out: Callable[..., World], error: StageError | EngineError, status: str) -> None:
    """If the members cannot be made, the group says why, and nothing after it is started."""
    world = fan_out([])
    world.lines.printed["test"] = error

    world.execute()

    assert world.statuses() == {"lines": "passed", "test": status, "end": "not_started"}
    assert world.record.stages()["test"].message == str(error)


def test_reused_members(fan_out: Callable[..., World]) -> None:
    """Each member is reused for itself. A group of which all members are reused is reused, and has no task run."""
    world = fan_out(MANY, limit=1)
    world.store = Store(made="lines test(line 1) test(line 2) ")  # by part of the name
    world.lines.printed["test"] = ["line 1", "line 2"]

    world.execute()

    assert world.tasks.submitted == ["end"]
    assert world.statuses() == {
        "lines": "cached",
        "test": "cached",
        "test(line 1)": "cached",
        "test(line 2)": "cached",
        "end": "passed",
    }
    assert world.store.asked == ["lines", "test(line 1)", "test(line 2)", "end"]


@pytest.mark.parametrize(
    ("members", "group"),
    [
        ("passed passed", ("passed", "2 members passed")),
        ("passed", ("passed", "1 member passed")),
        ("cached passed cached", ("passed", "3 members: 2 cached, 1 passed")),
        ("tolerated passed", ("tolerated", "2 members: 1 tolerated, 1 passed")),
        ("timed_out cancelled", ("failed", "1 of 2 members failed: m0")),
        ("failed error", ("error", "2 of 2 members failed: m0, m1")),
        ("cancelled not_started passed", ("cancelled", "3 members: 1 cancelled, 1 not started, 1 passed")),
        (" ".join(["failed"] * 7), ("failed", "7 of 7 members failed: m0, m1, m2, m3, m4 and 2 more")),
    ],
)
def test_how_a_group_ends(members: str, group: tuple[str, str]) -> None:
    """The end of a group follows from the ends of its members: the worst one counts."""
    ends = {f"m{number}": StageStatus(status) for number, status in enumerate(members.split())}

    status, message = group_end(ends)

    assert (status.value, message) == group
