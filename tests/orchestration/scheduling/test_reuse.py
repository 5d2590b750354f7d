"""The scheduler and stages that need not run, because an earlier run has made the same."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dockercise_prefect.status import StageStatus
from tests.orchestration.scheduling.scheduler_world import World


def test_a_reused_stage_is_settled_without_a_task_run(world: Callable[..., World]) -> None:
    """What need not run takes no slot. The stages after it start at once, and have its result."""
    run = world({"a": "", "b": "a", "c": "b", "d": "c"})
    run.store.made = "abc"

    run.execute(1)

    assert run.tasks.submitted == ["d"]
    assert run.tasks.inputs == {"d": {"c"}}
    assert run.statuses() == {"a": "cached", "b": "cached", "c": "cached", "d": "passed"}


def test_only_what_a_running_stage_needs_is_shown(world: Callable[..., World]) -> None:
    """Of ten reused stages, those have a task run that a stage needs that runs. The first of them have none."""
    run = world({"a": "", "b": "a", "c": "b", "d": "", "e": "cd", "f": "e"})
    run.store.made = "abcd"

    run.execute()

    assert run.tasks.shown == dict.fromkeys("cd", "as in run 1")
    assert run.tasks.submitted == ["e", "f"]


def test_a_run_in_which_nothing_runs(world: Callable[..., World]) -> None:
    """If everything is reused, however long the chain is, there is no task run at all."""
    names = [chr(0x4E00 + number) for number in range(3000)]
    run = world(dict(zip(names, ["", *names], strict=False)))
    run.store.made = "".join(names)

    assert run.execute() is None

    assert (run.tasks.submitted, run.tasks.shown) == ([], {})
    assert set(run.statuses().values()) == {"cached"}


def test_a_stage_waits_for_the_content_of_a_volume(world: Callable[..., World]) -> None:
    """As long as nobody knows the content of a volume, it is not decided whether the stage after it runs; others go on."""
    run = world({"a": "", "b": "a", "c": "a", "d": "b"})
    run.store.made, run.store.closed = "b", {"b": "a"}

    def read() -> None:
        waiting = threading.Event()
        while "c" not in run.tasks.submitted:
            waiting.wait(0.01)
        run.scheduler[0].volume_read(run.tasks.results["a"])

    threading.Thread(target=read, daemon=True).start()
    run.execute()

    assert run.store.asked == ["a", "c", "b", "d"]
    assert run.statuses() == {"a": "passed", "b": "cached", "c": "passed", "d": "passed"}


def test_a_stop_ends_the_wait_for_a_volume(world: Callable[..., World]) -> None:
    """A stage that is not decided yet when the run is stopped never starts, even if the volume is never read."""
    run = world({"a": "", "b": "a", "c": ""})
    run.store.closed = {"b": "a"}
    gate = threading.Event()
    run.tasks.gates = {"c": gate}
    run.on_stop = gate.set

    def interrupt() -> None:
        waiting = threading.Event()
        while run.statuses().get("a") != "passed":
            waiting.wait(0.01)
        run.scheduler[0].interrupt("Prefect")

    threading.Thread(target=interrupt, daemon=True).start()

    assert run.execute() == "Prefect"

    assert run.statuses() == {"a": "passed", "b": "not_started", "c": "passed"}


def test_what_was_stopped_is_not_reused(world: Callable[..., World]) -> None:
    """After a failure with fail-fast, a stage that could be reused is not started, like any other."""
    run = world({"a": "", "b": "", "c": "b"}, statuses={"a": StageStatus.FAILED})
    gate = threading.Event()
    run.tasks.gates = {"b": gate}
    run.on_stop = gate.set
    run.store.made = "c"

    run.execute(fail_fast=True)

    assert run.statuses() == {"a": "failed", "b": "passed", "c": "not_started"}
