"""Makes the attempts at the stages of one run, and puts away what they left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.cleanup.labels import Labels, attempt_labels
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.files.volume_export import KeepVolume, files_of
from dockercise_prefect.runtime.network.own import OwnNetworks
from dockercise_prefect.runtime.network.slots import Lease, NetworkSlots, uses_bridge
from dockercise_prefect.runtime.out import OutFolders
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.job import Job, JobResult, Stdout
from dockercise_prefect.runtime.stage.jobs import Jobs
from dockercise_prefect.runtime.stage.outcome import Verdict
from dockercise_prefect.runtime.stage.ports import Outputs, Ports, Texts
from dockercise_prefect.runtime.stage.running_stages import RunningStages
from dockercise_prefect.status import StageStatus

RunAttempt: TypeAlias = Callable[[Job, Ports], JobResult]
"""Runs the attempt that a job describes, in this process or elsewhere."""


class AttemptLostError(EngineError):
    """The process that ran an attempt is gone, and left no result."""


def shown_nowhere(_service: str) -> OutputSink:
    """What gets the output of services that nobody reads."""
    return lambda *_: None


@dataclass(frozen=True, kw_only=True)
class StagePorts:
    """What a stage of a run needs, besides the workspace.

    Attributes:
        texts: knows the texts of variables.
        outputs: keeps what stages print.
        beside: returns what gets the output of a service of the stage, masked.
    """

    texts: Texts
    outputs: Outputs
    beside: Callable[[str], OutputSink] = shown_nowhere


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt to be made.

    Attributes:
        inputs: the results of the stages that the stage needs, except those that never started.
        sink: gets the stage's output while it runs, masked.
        number: of the attempt, from 1 on.
    """

    stage: Stage
    inputs: Mapping[StageName, JobResult]
    ports: StagePorts
    sink: OutputSink
    number: int
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    def not_made(self, verdict: Verdict, stdout: Stdout | None) -> JobResult:
        """The result if nothing was run."""
        return JobResult(
            stage=self.stage.name,
            attempt=self.number,
            status=verdict.status,
            exit_code=verdict.exit_code,
            message=verdict.message,
            started=self.begun,
            finished=datetime.now(UTC),
            stdout=stdout,
        )


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Makes attempts. Thread-safe.

    Attributes:
        engine: where they run.
        jobs: makes their jobs.
        slots: the networks of the run.
        own_networks: the networks of stages with services.
        outs: makes `/out`.
        running: stops them.
        masker: masks what they print.
        confinement: their limits.
        run: runs an attempt.
        later: runs tasks that nobody waits for.
        putting_away: reads volumes.
    """

    engine: Engine
    jobs: Jobs
    slots: NetworkSlots
    own_networks: OwnNetworks
    outs: OutFolders
    running: RunningStages
    masker: Masker
    confinement: Confinement
    run: RunAttempt
    later: Background
    putting_away: Background

    def make(self, attempt: Attempt) -> JobResult:
        """Make an attempt. The result says how it ended, also if the engine failed: no such error is raised."""
        stage, running = attempt.stage, self.running.of(attempt.stage)
        try:
            if (stop := running.cancelled) is not None:
                return self._not_made(attempt, Verdict(stop.status, None, stop.message))
            job = self.jobs.make(stage, attempt.inputs, attempt.number)
            self.outs.prepare(stage, attempt.inputs, attempt.ports.outputs)
            return self._among_services(job, attempt) if job.services else self._in_a_network(job, attempt)
        except DockerciseError as error:
            # An error after the run was cancelled is mostly caused by the cancellation, for example a copy that was stopped.
            stop = running.cancelled
            verdict = Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.ERROR, None, str(error))
            return self._not_made(attempt, verdict)

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
            self.putting_away.do(lambda: self._read_and_remove(stage, result, container, keep))

    def discard(self, result: JobResult) -> None:
        """Remove the container and the volume of an attempt that was made again, in the background."""
        self.later.do(partial(self._remove, result))

    def _read_and_remove(self, stage: Stage, result: JobResult, container: str, keep: KeepVolume) -> None:
        """Read the volume through the container, and then remove the container."""
        is_kept = result.volume is not None and result.volume.written and not stage.no_log
        check = self.running.refuse_when_killed
        try:
            with files_of(self.engine, container, stage, check) if is_kept else nullcontext() as files:
                keep(None if files is None else self.confinement.leaving(files))
        finally:
            self.engine.remove(container)

    def _remove(self, result: JobResult) -> None:
        if result.container is not None:
            self.engine.remove(result.container)
        if result.volume is not None:
            self.engine.remove_volume(result.volume.name)
            if result.volume.changes is not None:
                self.engine.remove_volume(result.volume.changes)

    def _made(self, job: Job, attempt: Attempt) -> JobResult:
        ports = Ports(
            engine=self.engine,
            texts=attempt.ports.texts,
            masker=self.masker,
            outputs=attempt.ports.outputs,
            sink=attempt.sink,
            beside=attempt.ports.beside,
            running=self.running.of(attempt.stage),
            later=self.later.do,
        )
        try:
            result = self.run(job, ports)
        except AttemptLostError:
            labels = Labels(job.run, job.owner, attempt_labels(job.stage.name, job.attempt))
            remove_all(self.engine, [leftover for leftover in self.engine.leftovers() if labels.mine(leftover.labels)])
            raise
        if job.overlay is not None and result.status is StageStatus.ERROR:
            self.jobs.copies.failed()
        return result

    def _among_services(self, job: Job, attempt: Attempt) -> JobResult:
        """Make an attempt in a network that only the stage and its services are on."""
        with self.own_networks.lease(attempt.stage, attempt.number) as network:
            out = self.outs.mounts(attempt.stage, attempt.inputs, attempt.ports.outputs, Lease(network.stage))
            services = tuple(replace(each, network=network.services[each.name]) for each in job.services)
            mounts = (*out, *job.mounts)
            placed = replace(job, network=network.stage, aliases=network.aliases, services=services, mounts=mounts)
            return self._made(placed, attempt)

    def _in_a_network(self, job: Job, attempt: Attempt) -> JobResult:
        """Make an attempt in a network. If the network's slot is gone before the stage starts, the stage gets another one."""
        while True:
            # Last: other stages can use the slot until then.
            with self._network(attempt.stage) as lease:
                out = self.outs.mounts(attempt.stage, attempt.inputs, attempt.ports.outputs, lease)
                result = self._made(replace(job, network=lease.network, mounts=(*out, *job.mounts)), attempt)
                # When the first process of a container ends, all its other processes end too.
                if result.exit_code is None and result.volume is not None and result.volume.written:
                    lease.clean = False
                if not self._lost_its_slot(result, lease):
                    return result
                lease.clean = False
            self.discard(result)

    def _lost_its_slot(self, result: JobResult, lease: Lease) -> bool:
        """Whether nothing of the attempt has run, and its slot cannot be used any more."""
        if result.status is not StageStatus.ERROR or lease.slot is None or self._may_have_started(result.container):
            return False
        return not lease.slot.restore()

    def _may_have_started(self, container: str | None) -> bool:
        if container is None:
            return False
        with suppress(EngineError):
            return self.engine.running(container) is not None or self.engine.follow(container, lambda *_: None) is not None
        return True

    def _not_made(self, attempt: Attempt, verdict: Verdict) -> JobResult:
        with suppress(OSError, DockerciseError):
            return attempt.not_made(verdict, attempt.ports.outputs.writer(attempt.stage.name).close())
        return attempt.not_made(verdict, None)

    @contextmanager
    def _network(self, stage: Stage) -> Iterator[Lease]:
        own = nullcontext(Lease(stage.network.value))
        check = self.running.of(stage).refuse_when_cancelled
        with self.slots.lease(check) if uses_bridge(stage) else own as lease:
            yield lease
