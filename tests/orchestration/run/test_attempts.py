"""A stage that is run again after a failure, without Prefect."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.run.events import StageOutput
from dockercise_prefect.status import StageStatus
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import stage_world
from tests.support.prefect.prefect_records import eventually


def flaky(retries: str, more: str = "") -> str:
    """A stage with retries, and one that uses what it left."""
    return (
        f"a: {{img: {BUSYBOX}, run: work, retries: {retries}{more}}}\n"
        f"b: {{img: {BUSYBOX}, run: 'use $A', vol: a, retries: 0}}\n"
    )


def attempts_on(engine: ScriptedEngine) -> set[str]:
    """The attempts at stage `a` that have something on the engine."""
    return {one.labels["dockercise.attempt"] for one in engine.leftovers() if one.labels.get("dockercise.stage") == "a"}


FAILS = Behaviour(stdout=b"half", exit_code=1, writes={"/a/old": b"x"})
PASSES = Behaviour(stdout=b"whole", writes={"/a/new": b"y"})


def test_a_stage_passes_at_its_third_attempt(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Consumers see the last attempt; the log has all, and the record says how each of them ended."""
    scripted.script("work", FAILS, FAILS, PASSES)
    seen: list[str] = []
    scripted.script("use", Behaviour(action=lambda container: seen.extend(name for name, _ in container.below("/a"))))
    with stage_world(scripted, compiled(a=flaky("{times: 3, delay: 10s, backoff: 2}")), tmp_path) as world:
        result = world.run("a")
        world.run("b")

    assert (result.status, result.attempt) == (StageStatus.PASSED, 3)
    assert world.pauses["a"] == [10, 20]
    summary = world.record.stage("a")
    assert summary.attempts == 3
    assert summary.headline == "passed, at attempt 3"
    entry = world.entry("a")
    assert (entry["value"], entry["attempt"]) == ("whole", 3)
    assert [(one["attempt"], one["status"], one["exit_code"]) for one in entry["earlier_attempts"]] == [
        (1, "failed", 1),
        (2, "failed", 1),
    ]
    assert summary.started == entry["earlier_attempts"][0]["started"]
    lines = [event.line for event in world.events if isinstance(event, StageOutput) and event.stage == "a"]
    assert [line for line in lines if line.startswith("[")] == [f"[attempt {number} of at most 4]" for number in (1, 2, 3)]
    assert (world.store.folder / "a.out").read_bytes() == b"whole"
    assert seen == ["a", "a/new"]
    assert world.task_states == [
        "waits 10 s: exit code 1; the next attempt begins in 10s",
        "retries",
        "waits 20 s: exit code 1; the next attempt begins in 20s",
        "retries",
    ]


def test_an_attempt_leaves_nothing_for_the_next_one(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Each attempt has a fresh container and a fresh volume, and those of earlier attempts are removed during the run."""
    seen: list[str] = []
    look = Behaviour(action=lambda container: seen.extend(name for name, _ in container.below("/a")))
    scripted.script("work", FAILS, look)
    with stage_world(scripted, compiled(a=flaky("1")), tmp_path) as world:
        world.run("a")
        eventually(lambda: attempts_on(scripted), lambda found: found == {"2"})

    assert seen == ["a"]


def test_the_last_failure_is_the_result(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """After the last attempt, the stage has failed as that attempt did."""
    scripted.script("work", FAILS, Behaviour(exit_code=2))
    with stage_world(scripted, compiled(a=flaky("1")), tmp_path) as world:
        result = world.run("a")

    assert (result.status, result.exit_code, result.attempt) == (StageStatus.FAILED, 2, 2)
    assert world.record.stage("a").headline == "exit code 2, at attempt 2"


@pytest.mark.parametrize(
    ("on", "behaviour", "attempts"),
    [
        ("[2, oom]", Behaviour(exit_code=2), 2),
        ("[2, oom]", Behaviour(exit_code=3), 1),
        ("[2, oom]", Behaviour(exit_code=137, oom_killed=True), 2),
        ("[137]", Behaviour(exit_code=137, oom_killed=True), 1),
        ("[137]", Behaviour(exit_code=137), 2),
        ("error", Behaviour(exit_code=1), 1),
        ("error", Behaviour(vanishes=True), 2),
        ("timeout", Behaviour(blocks=True), 2),
        ("error", Behaviour(blocks=True), 1),
    ],
)
def test_only_some_failures(scripted: ScriptedEngine, tmp_path: Path, on: str, behaviour: Behaviour, attempts: int) -> None:
    """With `on`, only the listed failures lead to another attempt."""
    scripted.script("work", behaviour)
    with stage_world(scripted, compiled(a=flaky(f"{{times: 1, on: {on}}}", ", timeout: 0.2s")), tmp_path) as world:
        assert world.run("a").attempt == attempts


def test_an_error_of_the_engine_is_tried_again(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """An engine that fails once does not fail the stage."""
    scripted.script("work", PASSES)
    with stage_world(scripted, compiled(a=flaky("1")), tmp_path) as world:
        scripted.fail("run", EngineError("the engine is busy"))
        result = world.run("a")

    assert (result.status, result.attempt) == (StageStatus.PASSED, 2)
    assert world.entry("a")["earlier_attempts"][0]["status"] == "error"


def test_a_tolerated_exit_code_is_no_failure(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """A stage with `neverFail` is not run again for its exit code."""
    scripted.script("work", FAILS)
    with stage_world(scripted, compiled(a=flaky("3", ", neverFail: true")), tmp_path) as world:
        result = world.run("a")

    assert (result.status, result.attempt) == (StageStatus.TOLERATED, 1)


def test_no_more_attempts_after_a_stop(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If the run is stopped while a stage waits for its next attempt, the stage ends as its last attempt did."""
    scripted.script("work", FAILS)
    with stage_world(scripted, compiled(a=flaky("{times: 5, delay: 1h}")), tmp_path) as world:
        world.stopped = True
        result = world.run("a")

    assert (result.status, result.attempt) == (StageStatus.FAILED, 1)


def test_an_output_that_must_not_be_kept_replaces_an_earlier_one(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If the last attempt prints a secret, the record does not have the output of an earlier attempt in its place."""
    text = f"meta: {{secrets: TOKEN}}\na: {{img: {BUSYBOX}, run: work, env: TOKEN, retries: 1}}\n"
    scripted.script("work", FAILS, Behaviour(stdout=b"it is s3cret-t0ken"))
    with stage_world(scripted, compiled(a=text), tmp_path, {"a": {"TOKEN": "s3cret-t0ken"}}) as world:
        world.run("a")

    assert (world.store.folder / "a.out").read_bytes() == b""
    assert "output" in world.entry("a")["left_out"]
    assert world.entry("a")["output_digest"] is None
