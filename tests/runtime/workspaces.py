"""Runs whole pipelines through a workspace, for the tests of everything above an engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import CodeHistory, Pipeline, Stage, StageName, stage
from dockercise_prefect.runtime.attempts import RunAttempt, StagePorts
from dockercise_prefect.runtime.cleanup.labels import Labels, RunIdentity
from dockercise_prefect.runtime.copying.trials import Trials
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.files.volume_export import KeepVolume
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.output_sink import Channel, OutputSink
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.attempt import run_attempt
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.environment import VariableTexts
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.stage.ports import OutputWriter
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.status import StageStatus
from tests.engines.driving import PATIENCE
from tests.engines.scripted import BUSYBOX, ScriptedContainer

IDENTITY = RunIdentity("20261122T190312Z-7f3a", "p☃", "0b99b510")


class MemoryOutputs:
    """Keeps what stages print in memory (`ports.Outputs`)."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def writer(self, stage: StageName) -> OutputWriter:
        """See `Outputs`."""
        return _MemoryWriter(stage, self._kept)

    @contextmanager
    def open(self, stdout: Stdout) -> Iterator[Printed]:
        """See `Outputs`."""
        assert stdout.file is not None
        yield Printed.of(self._kept[stdout.file])


def passed(outputs: MemoryOutputs, name: str, printed: bytes, attempt: int = 1, volume: OwnVolume | None = None) -> JobResult:
    """The result of an attempt that printed this, and left this volume."""
    writer, now = outputs.writer(name), datetime(2026, 11, 29, tzinfo=UTC)
    writer.write(printed)
    return JobResult(
        stage=name,
        attempt=attempt,
        status=StageStatus.PASSED,
        exit_code=0,
        message=None,
        started=now,
        finished=now,
        stdout=writer.close(),
        volume=volume,
    )


class _MemoryWriter:
    def __init__(self, name: str, kept: dict[str, bytes]) -> None:
        self._name = name
        self._kept = kept
        self._printed = bytearray()

    def write(self, chunk: bytes) -> None:
        self._printed += chunk

    def close(self) -> Stdout:
        self._kept[self._name] = bytes(self._printed)
        return Stdout(len(self._printed), digest_text(sha256(self._printed).digest()), file=self._name)


@dataclass
class Ran:
    """A run as a test sees it.

    Attributes:
        results: the result of each stage.
        output: the output of each stage and service, by channel.
        volumes: the contents of each stage's volume as a tar stream; None if it is empty.
        outputs: keeps the output of stages.
        said: lines for the user.
        begun: set when any stage has printed something.
    """

    workspace: Workspace
    pipeline: Pipeline
    run_id: str = IDENTITY.run_id
    results: dict[StageName, JobResult] = field(default_factory=dict)
    output: dict[tuple[StageName, Channel], bytes] = field(default_factory=dict)
    volumes: dict[StageName, bytes | None] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    outputs: MemoryOutputs = field(default_factory=MemoryOutputs)
    begun: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def run(
        self,
        stage: Stage,
        outside: Mapping[str, str] | None = None,
        *,
        of_services: Mapping[StageName, Mapping[str, str]] | None = None,
        sink: OutputSink | None = None,
        keep: KeepVolume | None = None,
    ) -> JobResult:
        """Run one stage with the results of the stages before it.

        Args:
            stage: a stage of the workspace.
            outside: its outside variables.
            of_services: the outside variables of its services, by `<stage>.<service>`.
            sink: gets its output; None for `output`.
            keep: gets its volume; None for `volumes`.
        """
        ports = StagePorts(
            texts=VariableTexts(self.pipeline, {stage.name: outside or {}, **(of_services or {})}),
            outputs=self.outputs,
            beside=lambda service: self._sink(f"{stage.name}.{service}"),
        )
        inputs = {name: self.results[name] for name in stage.needs}
        self.results[stage.name] = result = self.workspace.run_stage(stage, inputs, ports, sink or self._sink(stage.name))
        self.workspace.put_away(stage, result, keep or partial(self._keep, stage))
        return result

    def _sink(self, name: StageName) -> OutputSink:
        def sink(channel: Channel, chunk: bytes) -> None:
            key = (name, channel)
            with self._changed:
                self.output[key] = self.output.get(key, b"") + chunk
                self._changed.notify_all()
            self.begun.set()

        return sink

    def _keep(self, stage: Stage, files: Iterator[bytes] | None) -> None:
        with suppress(EngineError):
            self.volumes[stage.name] = None if files is None else b"".join(files)

    def has_said(self, name: StageName, channel: Channel, line: bytes) -> bool:
        """Wait until a stage prints this line. Return False if it never does."""
        with self._changed:
            return self._changed.wait_for(
                lambda: line in self.output.get((name, channel), b"").splitlines(keepends=True), PATIENCE
            )

    def printed(self, name: StageName) -> bytes:
        """The stdout of a stage."""
        stdout = self.results[name].stdout
        assert stdout is not None
        with self.outputs.open(stdout) as printed:
            return b"".join(printed.chunks())

    def value(self, name: StageName) -> bytes:
        """The value of a stage."""
        return Printed.of(self.printed(name)).value()


ATTEMPT: ContextVar[RunAttempt] = ContextVar("ATTEMPT", default=run_attempt)
"""Makes the attempts of all workspaces that are opened."""


def cancelled(reason: str) -> Stop:
    """What stops the stages of a run that is cancelled."""
    return Stop(StageStatus.CANCELLED, f"cancelled: {reason}")


@contextmanager
def workspace(
    engine: Engine,
    *stages: Stage,
    root: Path | None = None,
    aws: bool = False,
    run_id: str = IDENTITY.run_id,
    masker: Masker | None = None,
    confinement: Confinement | None = None,
    history: CodeHistory | None = None,
    trials: Trials | None = None,
) -> Iterator[Ran]:
    """A workspace that is ready for these stages."""
    said: list[str] = []
    pipeline = Pipeline("p☃", stages, history=history)
    identity = replace(IDENTITY, run_id=run_id)
    how = RuntimeOptions(root, 10, aws, masker or Masker(), confinement or Confinement(), trials=trials or Trials(None))
    with Workspace(engine, pipeline, identity, how, said.append, ATTEMPT.get()) as space:
        ran = Ran(space, pipeline, run_id, said=said)
        space.prepare()
        yield ran


def run_all(
    engine: Engine,
    *stages: Stage,
    root: Path | None = None,
    outside: Mapping[str, str] | None = None,
    run_id: str = IDENTITY.run_id,
    history: CodeHistory | None = None,
) -> Ran:
    """Run all stages, one after the other."""
    with workspace(engine, *stages, root=root, run_id=run_id, history=history) as ran:
        for stage in ran.pipeline:
            ran.run(stage, outside)
    return ran


def sh(name: str, run: str, **more: object) -> Stage:
    """A stage with a script, in the tests' image if it names no other."""
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


def volumes_of(engine: Engine, run_id: str = IDENTITY.run_id) -> Volumes:
    """Makes volumes on an engine; the helpers that fill them are removed immediately."""

    def now(thing: Callable[[], object]) -> None:
        thing()

    return Volumes(engine, Labels(replace(IDENTITY, run_id=run_id), "owner"), now, lambda: None)
