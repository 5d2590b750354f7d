"""Everything that one run makes on the engine. It is prepared, used by the stages of the run, and removed at the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.runtime.abandonable_calls import AbandonableCalls, AbandonedError
from dockercise_prefect.runtime.cleanup.labels import RUN, Labels, RunIdentity, attempt_labels
from dockercise_prefect.runtime.cleanup.ownership import sweep, this_process
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.engine import Channel, Engine, OutputSink
from dockercise_prefect.runtime.files.output_volumes import OutputVolumes
from dockercise_prefect.runtime.files.shared_volumes import SharedVolumes
from dockercise_prefect.runtime.files.volume_export import KeepVolume, files_of
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.network.slots import Lease, NetworkSlots, useful_slots, uses_bridge
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.attempt import run_attempt
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.images import Images
from dockercise_prefect.runtime.stage.job import Job, JobResult, Stdout
from dockercise_prefect.runtime.stage.jobs import Jobs
from dockercise_prefect.runtime.stage.mounts import StageMounts, check_host_paths, engine_volumes, uses_code
from dockercise_prefect.runtime.stage.outcome import Verdict
from dockercise_prefect.runtime.stage.ports import Outputs, Ports, Texts
from dockercise_prefect.runtime.stage.running import Running
from dockercise_prefect.status import StageStatus

ROUNDS = 3
PAUSE = 0.5
"""Seconds to wait before trying again to remove what could not be removed."""

END_SECONDS = 15
"""Seconds that the end of a run waits for stages that are being killed."""

BREAKING_OFF = 3
"""Seconds that the end of a run, if it is interrupted, waits for volumes that are being read.

The code that reads them checks after every chunk whether it has to stop.
"""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How a run uses its engine.

    Attributes:
        root: the folder that has the code, and that paths beginning with `./` are relative to; None for a pipeline that uses
            neither.
        jobs: how many stages run at once, at most.
        aws: whether every stage gets a copy of the user's AWS folder.
        grace_seconds: between SIGTERM and SIGKILL, at a timeout and when the run is cancelled.
        masker: knows what is sensitive. What stages print is passed on masked.
        confinement: the limits of each stage.
    """

    root: Path | None
    jobs: int
    aws: bool
    grace_seconds: float = 10
    masker: Masker = field(default_factory=Masker)
    confinement: Confinement = field(default_factory=Confinement)


RunAttempt: TypeAlias = Callable[[Job, Ports], JobResult]
"""Runs the attempt that a job describes, in this process or elsewhere."""


class AttemptLostError(EngineError):
    """The process that ran an attempt is gone, and left no result."""


@dataclass(frozen=True, kw_only=True)
class StagePorts:
    """What the stages of a run need, besides the workspace.

    Attributes:
        texts: knows the texts of variables.
        outputs: keeps what stages print.
    """

    texts: Texts
    outputs: Outputs


class Workspace:
    """The containers, volumes, networks and images of one run. A context manager: use all other methods inside of it.

    Order: call `prepare` once. Then call `run_stage` from any number of threads, for each stage after all stages that it needs,
    and `put_away` once for each result. `cancel`, `kill` and `abandon` may be called at any time, from any thread. Everything
    that is made has the labels of the run, and is removed when the context ends, however it ends. If the engine does not allow
    that, `notify` is called with what is left.

    Args:
        engine: where the stages run. The caller closes it.
        pipeline: the stages that will run.
        identity: which run this is.
        options: how the run uses the engine.
        notify: called with lines for the user, from several threads.
        attempt: runs the attempts.

    Attributes:
        output_volumes: keep what stages printed, on the engine.

    Raises:
        EngineError: this process is in a container, and the engine does not answer whether it runs that container.
    """

    def __init__(  # noqa: PLR0917  what a run on an engine takes
        self,
        engine: Engine,
        pipeline: Pipeline,
        identity: RunIdentity,
        options: RuntimeOptions,
        notify: Callable[[str], None],
        attempt: RunAttempt = run_attempt,
    ) -> None:
        self._engine = engine
        self._pipeline = pipeline
        self._identity = identity
        self._options = options
        self._notify = notify
        self._attempt = attempt
        self._owner = this_process(engine)
        self._labels = Labels(identity, str(self._owner))
        self._running = Running(options.grace_seconds, notify)
        self._slots = NetworkSlots(engine, self._labels, notify, options.confinement.closed)
        self._background = Background()
        self._putting_away = Background()  # separate: a big volume must not delay what stages wait for
        volumes = Volumes(engine, self._labels, self._background.do, self._running.refuse_when_cancelled)
        self._shared = SharedVolumes(engine, volumes, options.root, notify)
        self._mounts = StageMounts(volumes, self._shared, options.root, aws=options.aws)
        self._images = Images(engine, pipeline, self._labels)
        self._jobs = Jobs(
            identity=identity,
            owner=str(self._owner),
            images=self._images,
            shared=self._shared,
            mounts=self._mounts,
            aws=options.aws,
            secrets=pipeline.secrets,
            confinement=options.confinement,
        )
        self.output_volumes = OutputVolumes(engine, volumes, self._images.any)
        self._calls = AbandonableCalls()
        self._results: dict[StageName, JobResult] = {}
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
            DefinitionError: an external bind below the root does not exist, or is not really below the root.
            UsageError: there is no AWS folder.
            EngineError: images cannot be found or pulled, or the code cannot be read. The message names all of them.
        """
        check_host_paths(self._pipeline, self._options.root)
        self._images.resolve(self._notify)
        self._slots.start(useful_slots(self._pipeline, self._options.jobs), self._images.first)
        for volume in engine_volumes(self._pipeline):
            self._shared.keep(volume)
        if self._options.aws and any(stage.starts_container for stage in self._pipeline):
            self._shared.aws(self._images.any())
        if any(uses_code(stage) for stage in self._pipeline):
            self._shared.code(self._images.any())

    def run_stage(self, stage: Stage, inputs: Mapping[StageName, JobResult], ports: StagePorts, sink: OutputSink) -> JobResult:
        """Run one stage. The result says how it ended, also if the engine failed. No error of that kind is raised.

        Args:
            stage: of the pipeline.
            inputs: the results of all stages that the stage needs.
            ports: what the stage needs besides.
            sink: gets the stage's output while it runs, masked.
        """
        started = datetime.now(UTC)
        try:
            result = self._calls.call(partial(self._result, stage, inputs, ports, self._while_anybody_waits(sink)))
        except AbandonedError as error:
            message = f"cancelled: {error.message}, and its container may still be running"
            return _without_attempt(stage, Verdict(StageStatus.CANCELLED, None, message), started, None)
        if result.made_image is not None:
            self._images.note(stage.name, result.made_image)
        self._anticipate(result, ports.outputs)
        return result

    def put_away(self, stage: Stage, result: JobResult, keep: KeepVolume) -> None:
        """Pass on what an attempt left in its volume, and remove its container.

        Args:
            stage: the stage that was run.
            result: of the attempt.
            keep: called once with the files, in the background or before this returns.
        """
        container = result.container
        if container is None:
            keep(None)
        else:
            self._putting_away.do(lambda: self._read_and_remove(stage, result, container, keep))

    def _read_and_remove(self, stage: Stage, result: JobResult, container: str, keep: KeepVolume) -> None:
        """Read the volume through the container, and then remove the container."""
        is_kept = result.volume is not None and result.volume.written and not stage.no_log
        check = self._running.refuse_when_killed
        try:
            with files_of(self._engine, container, stage.name, check) if is_kept else nullcontext() as files:
                keep(None if files is None else self._options.confinement.leaving(files))
        finally:
            self._engine.remove(container)

    def _result(self, stage: Stage, inputs: Mapping[StageName, JobResult], ports: StagePorts, sink: OutputSink) -> JobResult:
        started = datetime.now(UTC)
        try:
            if (stop := self._running.cancelled) is not None:
                return self._not_attempted(stage, ports, Verdict(stop.status, None, stop.message), started)
            job = self._jobs.make(stage, inputs, ports.outputs)
            # Last: other stages can use the slot until then.
            with self._network(stage) as lease:
                result = self._attempted(replace(job, network=lease.network), ports, sink)
                # When the first process of a container ends, all its other processes end too.
                lease.clean = result.exit_code is not None or not (result.volume and result.volume.written)
                return result
        except DockerciseError as error:
            # An error after the run was cancelled is mostly caused by the cancellation, for example a copy that was stopped.
            stop = self._running.cancelled
            verdict = Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.ERROR, None, str(error))
            return self._not_attempted(stage, ports, verdict, started)

    def _attempted(self, job: Job, ports: StagePorts, sink: OutputSink) -> JobResult:
        all_ports = Ports(
            engine=self._engine,
            texts=ports.texts,
            masker=self._options.masker,
            outputs=ports.outputs,
            sink=sink,
            running=self._running,
            later=self._background.do,
        )
        try:
            return self._attempt(job, all_ports)
        except AttemptLostError:
            labels = Labels(job.run, job.owner, attempt_labels(job.stage.name, job.attempt))
            remove_all(self._engine, [leftover for leftover in self._engine.leftovers() if labels.mine(leftover.labels)])
            raise

    def _not_attempted(self, stage: Stage, ports: StagePorts, verdict: Verdict, started: datetime) -> JobResult:
        with suppress(OSError, DockerciseError):
            return _without_attempt(stage, verdict, started, ports.outputs.writer(stage.name).close())
        return _without_attempt(stage, verdict, started, None)

    @contextmanager
    def _network(self, stage: Stage) -> Iterator[Lease]:
        own = nullcontext(Lease(stage.network.value))
        with self._slots.lease() if uses_bridge(stage) else own as lease:
            yield lease

    @property
    def code_digest(self) -> str | None:
        """The digest of the run's snapshot of the code (docs/digests.md); None if no stage uses it."""
        return self._shared.code_digest

    def cancel(self, *, reason: str) -> None:
        """Start no more stages, and stop those that run, with a grace period. They end as cancelled. Returns immediately."""
        self._running.cancel(reason)

    def kill(self) -> None:
        """Like `cancel`, but without a grace period. May be called after `cancel`. Returns immediately."""
        self._running.kill("the run was killed")

    def abandon(self) -> None:
        """Stop waiting for an engine that does not answer. To be called after `kill`.

        Returns immediately, and so do the calls of `run_stage` that are waiting. What the run has made is left on the engine,
        and the next run removes it.
        """
        self._calls.abandon()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End what still runs, and remove everything that this run made.

        Never raises because of the engine. May be called again.
        """
        if not self._calls.abandoned:
            self._put_away()
        self._running.kill("the run has ended")
        if self._calls.abandoned:
            self._notify(f"the engine does not answer, so nothing of this run was removed from it; {self._whose_it_is()}")
            return
        self._running.wait(END_SECONDS)
        self._slots.close()
        self._putting_away.close()
        self._background.close()
        self._remove_everything()

    def _put_away(self) -> None:
        """Wait until all volumes are kept. If the wait is interrupted, their copies are marked as incomplete."""
        try:
            self._putting_away.close()
        except BaseException:
            self._running.kill("the run has ended")
            self._putting_away.close(BREAKING_OFF)
            raise

    def _anticipate(self, result: JobResult, outputs: Outputs) -> None:
        """Begin to fill `/out` for the stages that can start now, so that it is ready when they start."""
        self._results[result.stage] = result
        if not result.status.succeeded:
            return
        for stage in self._dependents[result.stage]:
            if stage.starts_container and all(name in self._results for name in stage.needs):
                inputs = {name: self._results[name] for name in stage.needs}
                self._background.do(partial(self._fill_out, inputs, outputs))

    def _fill_out(self, inputs: Mapping[StageName, JobResult], outputs: Outputs) -> None:
        self._mounts.out(inputs, outputs, self._images.any())

    def _remove_everything(self) -> None:
        trouble = ""
        for number in range(ROUNDS):
            time.sleep(PAUSE if number else 0)
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


def _without_attempt(stage: Stage, verdict: Verdict, started: datetime, stdout: Stdout | None) -> JobResult:
    return JobResult(
        stage=stage.name,
        attempt=1,
        status=verdict.status,
        exit_code=verdict.exit_code,
        message=verdict.message,
        started=started,
        finished=datetime.now(UTC),
        stdout=stdout,
    )
