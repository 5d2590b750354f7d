"""The scheduler and stages that take turns with those of other runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dockercise_prefect.pipeline import Retries, Stage, StageConcurrency
from tests.orchestration.scheduling.scheduler_world import World


@dataclass
class Others:
    """The stages of all runs (`TurnTaking`).

    Attributes:
        run: the run whose stages want turns.
        on_want: called with each stage that wants its turn.
        said: what the scheduler asked for: `want a`, `end a`.
    """

    run: World
    on_want: Callable[[Stage], None]
    said: list[str] = field(default_factory=list)

    def want(self, stage: Stage) -> None:
        """See `TurnTaking`."""
        self.said.append(f"want {stage.name}")
        self.on_want(stage)

    def end(self, stage: Stage) -> None:
        """See `TurnTaking`."""
        self.said.append(f"end {stage.name}")


def taking_turns(run: World, names: str, on_want: Callable[[Stage], None] | None = None) -> Others:
    """What the run's stages with these names share with other runs. By default, it is the turn of whoever wants one."""
    grouped = {one.name: replace(one, concurrency=StageConcurrency("db")) for one in run.pipeline if one.name in names}
    run.pipeline = replace(run.pipeline, stages=[grouped.get(one.name, one) for one in run.pipeline])

    def come(stage: Stage) -> None:
        run.scheduler[0].has_turn(stage)

    run.turns = others = Others(run, on_want or come)
    return others


def test_a_stage_runs_only_when_it_is_its_turn(world: Callable[..., World]) -> None:
    """A stage that waits for its turn needs no slot: others run meanwhile. Its turn ends with it."""
    run = world({"a": "", "b": "", "c": "b"})
    waiting: list[Stage] = []
    others = taking_turns(run, "ac", lambda stage: waiting.append(stage) if stage.name == "a" else both(stage))

    def both(stage: Stage) -> None:
        for one in (stage, *waiting):
            run.scheduler[0].has_turn(one)

    run.execute(jobs=1)

    assert run.tasks.submitted[0] == "b"
    assert sorted(run.tasks.submitted) == ["a", "b", "c"]
    assert others.said[:2] == ["want a", "want c"]
    assert sorted(others.said[2:]) == ["end a", "end c"]


def test_a_turn_is_kept_across_attempts_but_not_across_their_delay(world: Callable[..., World]) -> None:
    """Without a delay the next attempt is of the same turn. A delay ends it, and the stage wants another one."""
    run = world({"a": "", "b": ""}, pauses={"a": [0.0], "b": [0.01]})
    run.pipeline = replace(run.pipeline, stages=[replace(one, retries=Retries(1)) for one in run.pipeline])
    others = taking_turns(run, "ab")

    run.execute()

    assert [said for said in others.said if said.endswith("a")] == ["want a", "end a"]
    assert [said for said in others.said if said.endswith("b")] == ["want b", "end b", "want b", "end b"]
    assert run.tasks.resumed == {"a": True, "b": True}


def test_a_stopped_run_wants_no_turn_any_more(world: Callable[..., World]) -> None:
    """A signal ends the wait: the stage does not start, and clean-up runs."""
    run = world({"a": "", "C": ""})
    others = taking_turns(run, "a", lambda _stage: os.kill(os.getpid(), signal.SIGTERM))

    assert run.execute() == "SIGTERM"

    assert others.said == ["want a", "end a"]
    assert run.statuses()["a"] == "not_started"
