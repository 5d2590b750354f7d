"""A random pipeline on a scripted engine that fails by a plan, run by the real scheduler in threads and without Prefect."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dockercise_prefect.compiler import compile_folder
from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.runtime.cleanup.labels import ATTEMPT
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.engine import Engine, EngineLostError, Leftover
from tests.engines.container import ScriptedContainer
from tests.engines.files import Entry
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.faults.sketch import HANGS, MARKS, Edge, Mark, Sketch, as_yaml
from tests.faults.truth import KILLED, Attempt, Ran, Recorded, status_of
from tests.orchestration.run.stage_world import StageWorld, stage_world
from tests.orchestration.scheduling.scheduled_run import run_all

TIMEOUT = 0.5

CALLS = {
    "resolve_image": 2,
    "commit": 2,
    "create_volume": 8,
    "volume_exists": 4,
    "create": 8,
    "run": 8,
    "running": 3,
    "stop": 3,
    "remove": 10,
    "remove_volume": 8,
    "put": 4,
    "get": 4,
    "leftovers": 2,
    "discard": 4,
}
"""Calls of an engine, and how many of a kind a small run makes."""


@dataclass(frozen=True, slots=True)
class EngineFault:
    """One call of the engine that fails.

    Attributes:
        number: the n-th call of the method, counted from 1.
        late: the engine does what it is told, but the answer is lost.
        gone: the engine does not answer at all, instead of answering with an error.
        dies_for: the engine dies, and comes back after so many calls; 0 if it lives.
    """

    method: str
    number: int
    late: bool = False
    gone: bool = False
    dies_for: int = 0


def engine_faults(chance: random.Random) -> tuple[EngineFault, ...]:
    """Up to three random faults."""
    return tuple(_fault(chance, chance.choice(list(CALLS))) for _ in range(chance.randint(0, 3)))


def _fault(chance: random.Random, method: str) -> EngineFault:
    return EngineFault(
        method,
        chance.randint(1, CALLS[method]),
        late=chance.random() < 0.5,
        gone=chance.random() < 0.5,
        dies_for=chance.choice((0, 0, 0, 0, 1, 5, 50)),
    )


class FaultyEngine:
    """A scripted engine whose calls fail by a plan.

    Attributes:
        done: the faults that happened.
    """

    def __init__(self, engine: ScriptedEngine, faults: Sequence[EngineFault]) -> None:
        self.done: list[EngineFault] = []
        self._engine = engine
        self._faults = faults
        self._calls: Counter[str] = Counter()
        self._away = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """The method of the engine, with its faults."""
        method: Callable[..., Any] = getattr(self._engine, name)
        if name not in CALLS:
            return method

        def call(*arguments: Any, **options: Any) -> Any:
            fault = self._due(name)
            if fault is None:
                return method(*arguments, **options)
            if fault.late:
                method(*arguments, **options)
            if fault.dies_for:
                self._engine.die()
            raise EngineLostError("the engine does not answer") if fault.gone else EngineError(f"{name} failed as planned")

        return call

    def recover(self) -> None:
        """End all faults."""
        self._faults = ()
        self._engine.come_back()

    def _due(self, name: str) -> EngineFault | None:
        with self._lock:
            self._calls[name] += 1
            if self._away:
                self._away -= 1
                if not self._away:
                    self._engine.come_back()
            for fault in self._faults:
                if (fault.method, fault.number) == (name, self._calls[name]):
                    self.done.append(fault)
                    self._away = self._away or fault.dies_for
                    return fault
            return None


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        ran: the run; None if it did not begin.
        why: why it did not begin.
        left: what was on the engine after the run.
        left_after_sweep: the same after a sweep by a later run.
        missing: output that is not in the record, although the record does not say so.
    """

    ran: Ran | None
    why: str
    left: list[Leftover]
    left_after_sweep: list[Leftover]
    done: Sequence[EngineFault]
    missing: Sequence[str] = ()


@dataclass
class _Notes:
    marks: dict[str, list[Mark]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def behaviours(self, stage: Sketch) -> list[Behaviour]:
        """What each attempt does: it notes what it sees, and leaves what it says."""
        return [self._behaviour(stage, number) for number in range(1, stage.retries + 2)]

    def _behaviour(self, stage: Sketch, number: int) -> Behaviour:
        end = stage.end_of(number)
        said = f"{stage.says(number)}\n".encode()

        def act(container: ScriptedContainer) -> None:
            saw = {f"{edge.kind} {edge.to}": _seen(container, edge, stage) for edge in stage.edges if edge.looks}
            attempt = int(container.spec.labels[ATTEMPT])
            with self.lock:
                self.marks.setdefault(stage.name, []).append(Mark(attempt, saw, ended=True))
            for path in (f"/{stage.name}/file", "/left"):
                container.write(path, Entry("file", 0o644, data=said))

        return Behaviour(stdout=said, exit_code=KILLED if end == HANGS else end, blocks=end == HANGS, action=act)


def _seen(container: ScriptedContainer, edge: Edge, stage: Sketch) -> str:
    if edge.kind == "env":
        name = edge.to.upper()
        found = re.search(rf"command export {name}='([^']*)'", container.stdin.decode())
        return found[1] if found else container.spec.env.get(name, "")
    path = {"vol": f"/{edge.to}/file", "on": f"/{stage.name}/file", "out": f"/out/{edge.to}", "img": "/left"}[edge.kind]
    try:
        return container.read(path).decode().strip()
    except KeyError:
        return ""


def run_scripted(stages: Sequence[Sketch], faults: Sequence[EngineFault], folder: Path) -> Outcome:
    """Run a pipeline in an empty folder."""
    scripted, notes = ScriptedEngine(), _Notes()
    for stage in stages:
        scripted.script(f"m={MARKS}/{stage.name}.$n", *notes.behaviours(stage))
    (folder / "p.dockercise.yaml").write_text(as_yaml(stages, BUSYBOX, Path("/somewhere"), TIMEOUT))
    pipeline = compile_folder(folder, name="random").pipeline
    engine = FaultyEngine(scripted, faults)
    ran, why, world = None, "", None
    try:
        with stage_world(cast("Engine", engine), pipeline, folder / "results") as world:
            run_all(world)
            ran = _ran(world, notes, faulty=bool(engine.done))
    except DockerciseError as error:
        why = error.message
    engine.recover()
    left = scripted.leftovers()
    remove_all(scripted, left)
    missing = list(_missing(world, stages, ran)) if ran and world else []
    return Outcome(ran, why, left, scripted.leftovers(), engine.done, missing)


def _ran(world: StageWorld, notes: _Notes, *, faulty: bool) -> Ran:
    stages = {}
    for name, summary in world.record.stages().items():
        file = world.store.folder / f"{name}.json"
        earlier = world.entry(name).get("earlier_attempts", []) if file.exists() else []
        attempts = [Attempt(each["status"], each["exit_code"]) for each in earlier]
        if summary.status not in {"skipped", "not_started"}:
            attempts.append(Attempt(summary.status.value, summary.exit_code))
        stages[name] = Recorded(summary.status.value, tuple(attempts), summary.message)
    return Ran(status_of(stages), stages, notes.marks, faulty)


def _missing(world: StageWorld, stages: Sequence[Sketch], ran: Ran) -> Iterator[str]:
    bundled = world.bundled()
    for stage in stages:
        marks = ran.marks.get(stage.name, ())
        if ran.stages[stage.name].status not in {"passed", "failed", "tolerated"}:
            continue
        entry, said = world.entry(stage.name), stage.says(marks[-1].number)
        kept = bundled.get(stage.name, b"").decode().strip()
        if kept != ("" if stage.no_log else said) and not entry["left_out"]:
            yield f"{stage.name} printed {said!r}, but the record has {kept!r}"
        if stage.no_log and not entry["sensitive"]:
            yield f"{stage.name} has noLog, but the record does not say so"
