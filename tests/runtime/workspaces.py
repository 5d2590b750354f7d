"""Runs whole pipelines through a workspace, for the tests of everything above an engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Pipeline, Stage, StageName, stage
from dockercise_prefect.runtime.engine import Channel, Engine
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.outcome import StageResult
from dockercise_prefect.runtime.workspace import RunIdentity, RuntimeOptions, Workspace
from tests.engines.driving import PATIENCE
from tests.engines.scripted import BUSYBOX, ScriptedContainer

IDENTITY = RunIdentity("20261122T190312Z-7f3a", "p☃", "0b99b510")


@dataclass
class Ran:
    """A run as a test looks at it.

    Attributes:
        results: of each stage.
        output: what each stage printed, by channel.
        volumes: what each stage left in its volume, as a tar stream; None where it is empty.
        said: lines for the user.
        begun: set when any stage has printed something.
    """

    workspace: Workspace
    pipeline: Pipeline
    results: dict[StageName, StageResult] = field(default_factory=dict)
    output: dict[tuple[StageName, Channel], bytes] = field(default_factory=dict)
    volumes: dict[StageName, bytes | None] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def run(self, stage: Stage, outside: Mapping[str, str] | None = None) -> StageResult:
        """Run one stage with what the stages before it left."""

        def sink(channel: Channel, chunk: bytes) -> None:
            key = (stage.name, channel)
            with self._changed:
                self.output[key] = self.output.get(key, b"") + chunk
                self._changed.notify_all()
            self.begun.set()

        def keep(files: Iterator[bytes] | None) -> None:
            with suppress(EngineError):
                self.volumes[stage.name] = None if files is None else b"".join(files)

        inputs = {name: self.results[name] for name in stage.needs}
        self.results[stage.name] = self.workspace.run_stage(stage, outside or {}, inputs, sink, keep)
        return self.results[stage.name]

    def has_said(self, name: StageName, channel: Channel, line: bytes) -> bool:
        """Wait until a stage prints this line; False when it never does."""
        with self._changed:
            return self._changed.wait_for(
                lambda: line in self.output.get((name, channel), b"").splitlines(keepends=True), PATIENCE
            )

    def value(self, name: StageName) -> bytes:
        """The value of a stage."""
        return self.results[name].output.value()


@contextmanager
def workspace(
    engine: Engine,
    *stages: Stage,
    root: Path | None = None,
    aws: bool = False,
    grace: float = 10,
    run_id: str = IDENTITY.run_id,
    masker: Masker | None = None,
    confinement: Confinement | None = None,
) -> Iterator[Ran]:
    """A workspace that is ready for these stages."""
    said: list[str] = []
    pipeline = Pipeline("p☃", stages)
    identity = replace(IDENTITY, run_id=run_id)
    how = RuntimeOptions(root, 10, aws, grace, masker or Masker(), confinement or Confinement())
    with Workspace(engine, pipeline, identity, how, said.append) as space:
        ran = Ran(space, pipeline, said=said)
        space.prepare()
        yield ran


def run_all(
    engine: Engine,
    *stages: Stage,
    root: Path | None = None,
    outside: Mapping[str, str] | None = None,
    run_id: str = IDENTITY.run_id,
) -> Ran:
    """Run all stages, one after the other."""
    with workspace(engine, *stages, root=root, run_id=run_id) as ran:
        for stage in stages:
            ran.run(stage, outside)
    return ran


def drop(_files: Iterator[bytes] | None) -> None:
    """Keeps no volume."""


def sh(name: str, run: str, **more: object) -> Stage:
    """A stage with a script, in the tests' image unless it names another."""
    return stage(name, run=run, **{"image": BUSYBOX, **more})  # type: ignore[arg-type]  # free keywords


class Seen:
    """Looks into a container while it runs."""

    def __init__(self, *paths: str) -> None:
        self._paths = paths
        self.files: dict[str, bytes | None] = {}
        self.modes: dict[str, int] = {}

    def __call__(self, container: ScriptedContainer) -> None:
        for path in self._paths:
            try:
                self.files[path] = container.read(path)
            except KeyError:
                self.files[path] = None
            self.modes |= {name: entry.mode for name, entry in container.below(path)}
