"""The tables of docs/outcomes.md, with containers on both engines."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.run.events import Event, StageOutput
from dockercise_prefect.pipeline import Pipeline, RunsOn, Stage, bind, stage
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.status import StageStatus
from tests.engines.driving import rehearse
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import stage_world
from tests.orchestration.scheduling.scheduled_run import run_all
from tests.orchestration.scheduling.truth_table import EDGES, rows

ROWS = rows()


@dataclass(frozen=True)
class Ends:
    """How to make a stage end.

    Attributes:
        run: its script. behaviour: the same for the scripted engine.
        more: its further keys.
        asked: the same again for a stage that is asked by `if` or `unless`, where an exit code may be an answer.
    """

    run: str
    behaviour: Behaviour
    more: dict[str, Any]
    asked: Ends | None = None


BLOCKS = Ends("echo up; sleep 600", Behaviour(stdout=b"up\n", blocks=True), {"stop_grace": 1})

WAYS = {
    StageStatus.PASSED: Ends("true # passes", Behaviour(), {}),
    StageStatus.TOLERATED: Ends(
        "exit 3", Behaviour(exit_code=3), {"never_fail": True}, Ends("exit 3", Behaviour(exit_code=3), {})
    ),
    StageStatus.FAILED: Ends("exit 4", Behaviour(exit_code=4), {}, Ends("exit 126", Behaviour(exit_code=126), {})),
    StageStatus.TIMED_OUT: Ends("sleep 601", Behaviour(blocks=True), {"timeout": 0.5, "stop_grace": 1}),
    StageStatus.ERROR: Ends("true # in vain", Behaviour(), {"volumes": [bind("/no/such/folder", "/x")]}),
    StageStatus.CANCELLED: BLOCKS,
    StageStatus.SKIPPED: Ends("true # never", Behaviour(), {}),
    StageStatus.NOT_STARTED: Ends("true # never", Behaviour(), {}),
}

WAYS_TO_DEPEND: Mapping[str, Callable[[Stage], dict[str, Any]]] = {
    "after": lambda a: {"after": [a]},
    "env": lambda a: {"env": {"X": a.value}},
    "vol": lambda a: {"volumes": [a.volume]},
    "on": lambda a: {"on": a},
    "out": lambda a: {"reads": [a]},
    "img": lambda a: {"image": a},
    "if": lambda a: {"only_if": [a]},
    "unless": lambda a: {"unless": [a]},
}


def pipeline_for(status: StageStatus) -> Pipeline:
    """A stage that ends like this, the same stage as one that is asked, and a stage for each row about it."""
    way = WAYS[status]
    before = stage("before") if status is not StageStatus.NOT_STARTED else stage("before", image=BUSYBOX, run="exit 9")
    ended = stage("ended", image=BUSYBOX, run=way.run, after=[before], **way.more)
    asked_way = way.asked or way
    asked = stage("asked", image=BUSYBOX, run=asked_way.run, after=[before], **asked_way.more)
    return Pipeline("table", [before, ended, asked, *dependents(ended, asked)])


def dependents(ended: Stage, asked: Stage) -> Iterator[Stage]:
    for when in RunsOn:
        for edge in EDGES:
            needed = asked if edge in {"if", "unless"} else ended
            how: dict[str, Any] = {"image": BUSYBOX, **WAYS_TO_DEPEND[edge](needed)}
            yield stage(f"{when}-{edge}", run="true # runs", when=when, **how)


def rehearse_all(engine: Engine, status: StageStatus) -> None:
    """Tell the scripted engine how the stages end."""
    rehearse(engine, "exit 9", Behaviour(exit_code=9))
    for way in (WAYS[status], WAYS[status].asked):
        if way is not None:
            rehearse(engine, way.run, way.behaviour)
    if status is StageStatus.ERROR and isinstance(engine, ScriptedEngine):
        engine.fail("run", EngineError("no such folder"), times=2)


@pytest.mark.parametrize("status", WAYS, ids=str)
def test_a_row(engine: Engine, tmp_path: Path, status: StageStatus) -> None:
    """Whatever way a stage ended, each stage that depends on it runs, is skipped or is not started as the page says."""
    rehearse_all(engine, status)
    pipeline = pipeline_for(status)
    skipped = dict.fromkeys(("ended", "asked"), "a condition") if status is StageStatus.SKIPPED else {}
    up: set[str] = set()

    def watch(event: Event) -> None:
        """Stop the run when both stages run."""
        if isinstance(event, StageOutput) and event.line == "up":
            up.add(event.stage)
            if up == {"ended", "asked"}:
                os.kill(os.getpid(), signal.SIGTERM)

    with stage_world(engine, pipeline, tmp_path, observer=watch if status is StageStatus.CANCELLED else None) as world:
        ends = run_all(world, skipped)

    assert (ends["ended"], ends["asked"]) == (status, status)
    words = {"passed": "runs", "skipped": "skipped", "not_started": "not started"}
    found = {name: words.get(end, end) for name, end in ends.items() if "-" in name}
    assert found == {f"{row.when}-{row.edge}": row.outcome for row in ROWS if row.ended is status}
