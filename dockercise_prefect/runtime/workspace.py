"""Everything that one run makes on the engine: prepared, used by its stages, and removed at the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.runtime.abandonable_calls import AbandonableCalls, AbandonedError
from dockercise_prefect.runtime.cleanup.labels import RUN, Labels, RunIdentity
from dockercise_prefect.runtime.cleanup.ownership import sweep, this_process
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.engine import Channel, Engine, OutputSink
from dockercise_prefect.runtime.files.output import Spool, StageOutput
from dockercise_prefect.runtime.files.volume_export import KeepVolume
from dockercise_prefect.runtime.files.volumes import RunVolumes
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.building import Builder
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.images import Images, resolve_images
from dockercise_prefect.runtime.stage.mounts import StageMounts, check_host_paths, engine_volumes, uses_code
from dockercise_prefect.runtime.stage.network_slots import NetworkSlots, useful_slots
from dockercise_prefect.runtime.stage.outcome import StageResult
from dockercise_prefect.runtime.stage.running import Running
from dockercise_prefect.runtime.stage.stage_run import Inputs, RunContext, StageRun
from dockercise_prefect.status import StageStatus

__all__ = ["RunIdentity", "RuntimeOptions", "Workspace"]

ROUNDS = 3
PAUSE = 0.5
"""Seconds before what could not be removed is tried again."""

PATIENCE = 15
"""Seconds that the end of a run waits for stages that are being killed."""

BREAKING_OFF = 3
"""Seconds that an interrupted end of a run waits for volumes that are being read: what reads them asks after every chunk."""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How a run uses its engine.

    Attributes:
        root: the folder that the code and paths beginning with `./` are below; None for a pipeline that uses neither.
        jobs: stages that run at once, at most.
        aws: every stage gets a copy of the user's AWS folder.
        grace_seconds: between SIGTERM and SIGKILL, at a timeout and when the run is cancelled.
        masker: knows what is sensitive; what stages print is passed on masked.
        confinement: what each stage is held to.
    """

    root: Path | None
    jobs: int
    aws: bool
    grace_seconds: float = 10
    masker: Masker = field(default_factory=Masker)
    confinement: Confinement = field(default_factory=Confinement)


class Workspace:
    """One run's containers, volumes, networks and images. A context manager; all other methods are for its inside.

    Order: `prepare` once, then `run_stage` from as many threads as one likes, each stage after all it needs. `cancel`, `kill`
    and `abandon` at any time, from any thread. Whatever was made is labelled with the run, and removed when the context ends,
    however it ends; where the engine does not let us, `notify` says what is left.

    Args:
        engine: where the stages run; whoever gives it closes it.
        pipeline: the stages that will run.
        identity: which run this is.
        options: how.
        notify: told lines for the user; from several threads.

    Raises:
        EngineError: this process is in a container, and the engine does not answer whether that is one of its own.
    """

    def __init__(
        self,
        engine: Engine,
        pipeline: Pipeline,
        identity: RunIdentity,
        options: RuntimeOptions,
        notify: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._pipeline = pipeline
        self._identity = identity
        self._options = options
        self._notify = notify
        self._owner = this_process(engine)
        self._labels = Labels(identity, str(self._owner))
        self._running = Running(options.grace_seconds, notify)
        self._slots = NetworkSlots(engine, self._labels, notify, options.confinement.closed)
        self._background = Background()
        self._putting_away = Background()  # apart: a big volume must not hold up what stages wait for
        check = self._running.refuse_when_cancelled
        self._volumes = RunVolumes(engine, self._labels, self._background, options.root, check, notify)
        self._spool = Spool()
        self._images = Images(engine, pipeline, self._labels, {})
        self._calls = AbandonableCalls()
        self._results: dict[StageName, StageResult] = {}
        self._dependents: dict[StageName, list[Stage]] = defaultdict(list)
        for stage in pipeline:
            for needed in stage.needs:
                self._dependents[needed].append(stage)

    def __enter__(self) -> Self:
        """Remove what dead processes left on this engine.

        Raises:
            EngineError: the engine does not answer.
        """
        sweep(self._engine, self._owner, self._notify)
        return self

    def prepare(self) -> None:
        """Check and make what must be there before the first stage starts.

        Raises:
            DefinitionError: an external bind below the root is not there, or not below it.
            UsageError: there is no AWS folder.
            EngineError: images cannot be had, or the code cannot be read; names all of them.
        """
        check_host_paths(self._pipeline, self._options.root)
        resolved = resolve_images(self._engine, self._pipeline, self._notify)
        self._images = Images(self._engine, self._pipeline, self._labels, resolved)
        image = next((image.id for image in resolved.values()), None)
        self._slots.start(useful_slots(self._pipeline, self._options.jobs), image)
        for volume in engine_volumes(self._pipeline):
            self._volumes.keep(volume)
        if self._options.aws and any(stage.starts_container for stage in self._pipeline):
            self._volumes.aws(self._images.any())
        if any(uses_code(stage) for stage in self._pipeline):
            self._volumes.code(self._images.any())

    def run_stage(
        self, stage: Stage, outside: Mapping[str, str], inputs: Inputs, sink: OutputSink, keep: KeepVolume
    ) -> StageResult:
        """Run one stage. However it ends, and whatever the engine does, is in the result; nothing of the kind is raised.

        Args:
            stage: of the pipeline.
            outside: its variables from outside, as `environment.resolve_outside` found them.
            inputs: the results of all stages that it needs.
            sink: gets its output while it runs, masked.
            keep: gets what it left in its volume, once, in the background or before this returns; not when the run was let go.
        """
        context = RunContext(
            engine=self._engine,
            identity=self._identity,
            labels=self._labels,
            images=self._images,
            builder=Builder(
                engine=self._engine,
                labels=self._labels,
                images=self._images,
                volumes=self._volumes,
                running=self._running,
                masker=self._options.masker,
            ),
            volumes=self._volumes,
            mounts=StageMounts(self._volumes, self._options.root, aws=self._options.aws),
            slots=self._slots,
            running=self._running,
            masker=self._options.masker,
            background=self._background,
            putting_away=self._putting_away,
            spool=self._spool,
            aws=self._options.aws,
            secrets=frozenset(self._pipeline.secrets),
            confinement=self._options.confinement,
        )
        run = StageRun(context, stage, outside, inputs)
        started = datetime.now(UTC)
        try:
            result = self._calls.call(lambda: run.result(self._while_anybody_waits(sink), keep))
        except AbandonedError as error:
            output = StageOutput(self._spool)
            message = f"cancelled: {error.message}, and its container may still be running"
            return StageResult(stage.name, StageStatus.CANCELLED, None, message, started, datetime.now(UTC), None, output)
        self._anticipate(result)
        return result

    def cancel(self, *, reason: str) -> None:
        """Start no stage any more and stop those that run, with grace; their results are cancelled. Returns at once."""
        self._running.cancel(reason)

    def kill(self) -> None:
        """As `cancel`, without grace, also after it. Returns at once."""
        self._running.kill("the run was stopped at once")

    def abandon(self) -> None:
        """After `kill`: wait no more for an engine that does not answer. Returns at once, and so do stages that run.

        What the run has made is left to the next one.
        """
        self._calls.abandon()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End what still runs and remove all that this run made. Never raises because of the engine; again, it does no harm."""
        if not self._calls.abandoned:
            self._put_away()
        self._running.kill("the run is over")
        if self._calls.abandoned:
            self._notify(f"the engine does not answer, so nothing of this run was removed from it; {self._whose_it_is()}")
            return
        self._running.wait(PATIENCE)
        self._slots.close()
        self._putting_away.close()
        self._background.close()
        self._remove_everything()
        self._spool.close()

    def _put_away(self) -> None:
        """Wait until volumes are kept. If the wait is interrupted, their copies are marked as incomplete."""
        try:
            self._putting_away.close()
        except BaseException:
            self._running.kill("the run is over")
            self._putting_away.close(BREAKING_OFF)
            raise

    def _anticipate(self, result: StageResult) -> None:
        """Begin to fill `/out` for the stages that can start now, so that it is ready when they start."""
        self._results[result.stage] = result
        if not result.status.succeeded:
            return
        for stage in self._dependents[result.stage]:
            if stage.starts_container and all(name in self._results for name in stage.needs):
                outputs = {name: self._results[name].output for name in stage.needs}
                self._background.do(partial(self._fill_out, outputs))

    def _fill_out(self, outputs: Mapping[StageName, StageOutput]) -> None:
        self._volumes.out(outputs, self._images.any())

    def _remove_everything(self) -> None:
        trouble = ""
        for attempt in range(ROUNDS):
            time.sleep(PAUSE if attempt else 0)
            try:
                mine = [leftover for leftover in self._engine.leftovers() if self._labels.mine(leftover.labels)]
            except EngineError as error:
                trouble = error.message
                continue
            stuck = remove_all(self._engine, mine)
            if not stuck:
                return
            trouble = f"{counted(leftover for leftover, _ in stuck)}: {stuck[0][1].message}"
        self._notify(f"not everything of this run was removed from the engine: {trouble}; {self._whose_it_is()}")

    def _whose_it_is(self) -> str:
        return f"the next run removes it, or look for the label {RUN}={self._identity.run_id}"

    def _while_anybody_waits(self, sink: OutputSink) -> OutputSink:
        def pass_on(channel: Channel, chunk: bytes) -> None:
            if not self._calls.abandoned:
                sink(channel, chunk)

        return pass_on
