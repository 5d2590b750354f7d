"""Everything that one run makes on the engine. It is prepared, used by the stages of the run, and removed at the end."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Self

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import CODE, Pipeline, Stage, StageName
from dockercise_prefect.runtime.abandonable_calls import AbandonableCalls, AbandonedError
from dockercise_prefect.runtime.attempts import Attempt, Attempts, RunAttempt, StagePorts
from dockercise_prefect.runtime.cleanup.labels import GUARDIAN, RUN, Labels, RunIdentity
from dockercise_prefect.runtime.cleanup.ownership import sweep, this_process
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.copying.copies import Copies
from dockercise_prefect.runtime.engine import Engine, Leftover, ResolvedImage
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.output_volumes import OutputVolumes
from dockercise_prefect.runtime.files.shared_volumes import SharedVolumes
from dockercise_prefect.runtime.files.volume_export import KeepVolume
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.network.own import OwnNetworks
from dockercise_prefect.runtime.network.slot_maker import SlotMaker
from dockercise_prefect.runtime.network.slots import NetworkSlots, useful_slots
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.out import OutFolders
from dockercise_prefect.runtime.output_sink import Channel, OutputSink
from dockercise_prefect.runtime.stage.attempt import run_attempt
from dockercise_prefect.runtime.stage.gpus import check_gpus
from dockercise_prefect.runtime.stage.images import Images
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.jobs import Jobs
from dockercise_prefect.runtime.stage.mounts import (
    StageMounts,
    check_code_folders,
    check_host_paths,
    code_folders,
    engine_volumes,
    used_volumes,
)
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict
from dockercise_prefect.runtime.stage.ports import Outputs
from dockercise_prefect.runtime.stage.running_stages import RunningStages
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
        volumes: makes further volumes of the run.

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
        self._owner = this_process(engine)
        self._labels = Labels(identity, str(self._owner))
        self._running = RunningStages(pipeline, notify)
        self._background = Background()
        self._putting_away = Background()  # separate: a big volume must not delay what stages wait for
        self.volumes = volumes = Volumes(engine, self._labels, self._background.do, self._running.refuse_when_cancelled)
        of_slots = Volumes(engine, self._labels, self._background.do, lambda: None)
        self._slots = NetworkSlots(SlotMaker(engine, self._labels, of_slots, options.confinement.closed), notify)
        self._shared = SharedVolumes(engine, volumes, options.root, pipeline.history, notify, options.shared)
        self._mounts = StageMounts(volumes, self._shared, options.root, options.kept_volume, aws=options.aws)
        self._images = Images(engine, pipeline, self._labels)
        self._outs = OutFolders(self._shared, self._slots, self._images.any)
        self._copies = Copies(engine, volumes, options.trials, self._background.do, self._images.any)
        self._attempts = Attempts(
            engine=engine,
            jobs=Jobs(
                identity=identity,
                owner=str(self._owner),
                images=self._images,
                shared=self._shared,
                mounts=self._mounts,
                copies=self._copies,
                copied=_copied(pipeline),
                aws=options.aws,
                git=pipeline.history is not None,
                secrets=pipeline.secrets,
                confinement=options.confinement,
                answers=frozenset(pipeline.answers),
                seen=used_volumes(pipeline),
            ),
            slots=self._slots,
            own_networks=OwnNetworks(engine=engine, labels=self._labels, maker=self._slots.maker, image=self._images.any),
            outs=self._outs,
            running=self._running,
            masker=options.masker,
            confinement=options.confinement,
            run=attempt,
            later=self._background,
            putting_away=self._putting_away,
        )
        self.output_volumes = OutputVolumes(engine, volumes, self._images.any)
        self._calls = AbandonableCalls()
        self._results: dict[StageName, JobResult] = {}
        self._dependents: dict[StageName, list[Stage]] = defaultdict(list)
        # What surely runs on a copy of a volume, or of the code.
        self._copiers: dict[StageName, list[Stage]] = defaultdict(list)
        for stage in self._sure_to_run:
            if stage.on is not None and stage.starts_container:
                self._copiers[stage.on].append(stage)
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
            DefinitionError: an external bind below the root or a folder of the code does not exist, or the bind is not really
                below the root.
                The engine cannot give a stage its GPUs.
            UsageError: there is no AWS folder; or the code has to be a git checkout, and the root is not a git repository.
            EngineError: images cannot be found or pulled, or the code cannot be read. The message names all of them.
        """
        check_host_paths(self._pipeline, self._options.root)
        self._images.resolve(self._notify)
        if any(stage.gpus for stage in self._pipeline):
            check_gpus(self._engine, self._pipeline, self._images.any(), self._labels)
        self._slots.allow(useful_slots(self._pipeline, self._options.jobs), self._images.first)
        if self._sure_to_run:
            self._slots.start()
        for volume in engine_volumes(self._pipeline):
            self._shared.keep(volume)
        if self._options.aws and any(stage.starts_container for stage in self._pipeline):
            self._shared.aws(self._images.any())
        if missing := [folder for folder in code_folders(self._pipeline) if not self._shared.has_code(folder)]:
            check_code_folders(self._pipeline, self._shared.code_entries())
            surely_used = set(code_folders(self._sure_to_run))
            for folder in filter(surely_used.__contains__, missing):
                self._shared.code(self._images.any(), folder)
        if code := self._shared.lasting.get(f"{CODE}/"):
            self._expect_copies(CODE)
            self._look_at_for_copies(CODE, code)

    @property
    def _sure_to_run(self) -> list[Stage]:
        """The stages that cannot be reused. What only others need is made when one of them runs."""
        return [stage for stage in self._pipeline if stage.cache is None]

    def resume(self, results: Iterable[JobResult]) -> None:
        """Use what an earlier process of the run has made. Called after `prepare`."""
        for result in results:
            self._results[result.stage] = result
            if result.made_image is not None:
                self._images.note(result.stage, result.made_image)

    def run_stage(
        self, stage: Stage, inputs: Mapping[StageName, JobResult], ports: StagePorts, sink: OutputSink, attempt: int = 1
    ) -> JobResult:
        """Make an attempt at a stage. The result says how it ended, also if the engine failed: no such error is raised.

        Args:
            stage: of the pipeline.
            inputs: the results of all stages that the stage needs, except those that never started.
            ports: what the stage needs besides.
            sink: gets the stage's output while it runs, masked.
            attempt: the number of the attempt, from 1 on.
        """
        self._expect_copies(stage.name)
        asked = Attempt(stage=stage, inputs=inputs, ports=ports, sink=self._while_anybody_waits(sink), number=attempt)
        try:
            result = self._calls.call(partial(self._attempts.make, asked))
        except AbandonedError as error:
            message = f"cancelled: {error.message}, and its container may still be running"
            return asked.not_made(Verdict(StageStatus.CANCELLED, None, message), None)
        if result.made_image is not None:
            self._images.note(stage.name, result.made_image)
        self._anticipate(result, ports.outputs)
        return result

    def image_of(self, stage: Stage) -> ResolvedImage | None:
        """The image that a stage runs in; None if it builds its own, or has none. Called after `prepare`.

        Raises:
            EngineError: the stage that should have left the image did not.
        """
        return self._images.of(stage)

    def code_digests(self) -> CodeDigests:
        """The digests of the files of the code, as stages see them. Called after `prepare`.

        Raises:
            EngineError: the run has no root folder, or files cannot be read.
        """
        return self._shared.code_digests()

    def put_away(self, stage: Stage, result: JobResult, keep: KeepVolume) -> None:
        """Pass on what the last attempt left in its volume, and remove its container; see `Attempts.put_away`."""
        self._attempts.put_away(stage, result, keep)

    def discard(self, result: JobResult) -> None:
        """Remove what an attempt left after which the stage is run again."""
        self._attempts.discard(result)

    def any_image(self) -> str:
        """The id of any image on the engine, for containers that are never started. Called after `prepare`."""
        return self._images.any()

    @property
    def code_digest(self) -> str | None:
        """The digest of the run's snapshot of the code (docs/digests.md); None if no stage uses it."""
        return self._shared.code_digest

    @property
    def shared_volumes(self) -> Mapping[str, str]:
        """The names of the volumes of the code and of the AWS folder, by what they hold.

        After `prepare`, those are there that stages without `cache` need.
        """
        return dict(self._shared.lasting)

    def cancel(self, stop: Stop) -> None:
        """Start no more ordinary stages, and stop those that run, with their grace periods. Returns immediately."""
        self._running.cancel(stop)
        self._slots.wake()

    def cancel_cleanup(self, stop: Stop) -> None:
        """The same for clean-up stages."""
        self._running.cancel_cleanup(stop)
        self._slots.wake()

    def kill(self) -> None:
        """Start nothing more, and end what runs without a grace period. Returns immediately."""
        self._running.kill(_killed("the run was killed"))
        self._slots.wake()

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
        self._running.kill(_killed("the run has ended"))
        self._slots.wake()
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
            self._running.kill(_killed("the run has ended"))
            self._putting_away.close(BREAKING_OFF)
            raise

    def _anticipate(self, result: JobResult, outputs: Outputs) -> None:
        """Begin to make `/out` for the stages that surely start now, so that it is ready when they start."""
        self._results[result.stage] = result
        if not result.status.succeeded:
            return
        if result.volume is not None and result.volume.reused_from is None and result.is_at_rest:
            self._look_at_for_copies(result.stage, result.volume.name)
        for stage in self._dependents[result.stage]:
            if (
                stage.cache is None
                and stage.starts_container
                and not stage.is_group
                and all(name in self._results for name in stage.needs)
            ):
                inputs = {name: self._results[name] for name in stage.needs}
                self._background.do(partial(self._outs.prepare, stage, inputs, outputs))

    def _expect_copies(self, origin: StageName) -> None:
        for stage in self._copiers[origin]:
            self._copies.expect(stage.name)

    def _look_at_for_copies(self, origin: StageName, volume: str) -> None:
        if self._copiers[origin]:
            self._copies.look_at(volume)

    def _remove_everything(self) -> None:
        trouble = ""
        for number in range(ROUNDS):
            time.sleep(PAUSE if number else 0)
            try:
                mine = [leftover for leftover in self._engine.leftovers() if self._is_to_go(leftover)]
            except EngineError as error:
                trouble = error.message
                continue
            stuck = remove_all(self._engine, mine)
            if not stuck:
                return
            trouble = f"{counted(leftover for leftover, _ in stuck)}: {stuck[0][1].message}"
        self._notify(f"not everything of this run was removed from the engine: {trouble}; {self._whose_it_is()}")

    def _is_to_go(self, leftover: Leftover) -> bool:
        return self._labels.mine(leftover.labels) and GUARDIAN not in leftover.labels

    def _whose_it_is(self) -> str:
        return f"the next run removes it, or look for the label {RUN}={self._identity.run_id}"

    def _while_anybody_waits(self, sink: OutputSink) -> OutputSink:
        def pass_on(channel: Channel, chunk: bytes) -> None:
            if not self._calls.abandoned:
                sink(channel, chunk)

        return pass_on


def _copied(pipeline: Pipeline) -> Counter[StageName]:
    """How many stages work on a copy of each stage's volume. The members of a group are several (`each`)."""
    copied: Counter[StageName] = Counter()
    for stage in pipeline:
        if stage.on is not None:
            copied[stage.on] += 2 if stage.is_group else 1
    return copied


def _killed(reason: str) -> Stop:
    return Stop(StageStatus.CANCELLED, f"cancelled: {reason}")
