"""One stage, its image built where it says so, in one container, from its inputs to its result (LANGUAGE section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError, StageError
from dockercise_prefect.pipeline import Build, Stage, StageName
from dockercise_prefect.runtime.cleanup.labels import Labels, RunIdentity
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.engine import (
    ContainerMount,
    ContainerSpec,
    ContainerVanishedError,
    Engine,
    OutputSink,
    ResolvedImage,
)
from dockercise_prefect.runtime.files import aws_folder
from dockercise_prefect.runtime.files.output import Spool, StageOutput
from dockercise_prefect.runtime.files.users import is_root
from dockercise_prefect.runtime.files.volume_export import KeepVolume, files_of
from dockercise_prefect.runtime.files.volumes import RunVolumes
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.boot import SHELL, Launch, launch
from dockercise_prefect.runtime.stage.building import Builder
from dockercise_prefect.runtime.stage.capture import Capture
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.images import Images
from dockercise_prefect.runtime.stage.mounts import StageMounts
from dockercise_prefect.runtime.stage.network_slots import Lease, NetworkSlots, uses_bridge
from dockercise_prefect.runtime.stage.outcome import StageResult, Stop, Verdict, judge
from dockercise_prefect.runtime.stage.running import Deadline, Running
from dockercise_prefect.runtime.stage.variables import (
    Variables,
    chosen_variables,
    container_variables,
    runtime_variables,
    takes_values_from,
)
from dockercise_prefect.status import StageStatus

NOT_FOUND = 127
"""Exit code of a command that there is not."""

Inputs: TypeAlias = Mapping[StageName, StageResult]


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What all stages of one run have in common."""

    engine: Engine
    identity: RunIdentity
    labels: Labels
    images: Images
    builder: Builder
    volumes: RunVolumes
    mounts: StageMounts
    slots: NetworkSlots
    running: Running
    masker: Masker
    background: Background
    putting_away: Background
    spool: Spool
    aws: bool
    secrets: frozenset[str]
    confinement: Confinement


class StageRun:
    """One stage, run once.

    Args:
        context: of the run.
        stage: what runs.
        outside: its variables from outside.
        inputs: results of all stages that it needs.
    """

    def __init__(self, context: RunContext, stage: Stage, outside: Mapping[str, str], inputs: Inputs) -> None:
        self._run = context
        self._stage = stage
        self._outside = outside
        self._inputs = inputs
        self._image: ResolvedImage | None = None
        self._ran = False
        self._put_away = False

    def result(self, sink: OutputSink, keep: KeepVolume) -> StageResult:
        """Run it and say how it ended; its container has ended by then, and is removed soon.

        Args:
            sink: gets the output while it runs, masked.
            keep: gets what it left in its volume, once, in the background or before this returns.
        """
        started = datetime.now(UTC)
        output = StageOutput(self._run.spool)
        if self._stage.joins_only:
            verdict, output = self._join()
        else:
            verdict = self._verdict(output, sink, keep)
        if not self._put_away:
            keep(None)
        return StageResult(
            stage=self._stage.name,
            status=verdict.status,
            exit_code=verdict.exit_code,
            message=verdict.message,
            started=started,
            finished=datetime.now(UTC),
            image_digest=self._image.digest if self._image else None,
            output=output,
        )

    def _join(self) -> tuple[Verdict, StageOutput]:
        """A stage that only joins what it comes after: its value is its variable from outside."""
        stop = self._run.running.cancelled
        value = next(iter(self._outside.values()), "").encode("utf-8", "surrogateescape")
        return Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.PASSED, None, None), StageOutput.of(
            value
        )

    def _verdict(self, output: StageOutput, sink: OutputSink, keep: KeepVolume) -> Verdict:
        try:
            stop = self._run.running.cancelled
            return Verdict(stop.status, None, stop.message) if stop else self._ended(output, sink, keep)
        except (ContainerVanishedError, StageError) as error:
            return Verdict(StageStatus.FAILED, None, str(error))
        except DockerciseError as error:
            # What goes wrong once the run is cancelled is mostly because it is: a copy that was broken off, say.
            stop = self._run.running.cancelled
            return Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.ERROR, None, str(error))

    def _ended(self, output: StageOutput, sink: OutputSink, keep: KeepVolume) -> Verdict:
        """Build, run, or both; one deadline for both."""
        if self._stage.build is None:
            self._image = self._run.images.of(self._stage)
            return self._in_container(self._image, None, output, sink, keep)
        deadline = Deadline.of(self._stage.timeout)
        built = self._run.builder.build(self._stage, self._stage.build, self._build_secrets(self._stage.build), deadline, sink)
        if isinstance(built, Verdict):
            return built
        self._image = built
        if self._stage.starts_container:
            return self._in_container(built, deadline, output, sink, keep)
        output.write(f"{built.id}\n".encode())
        return Verdict(StageStatus.PASSED, 0, None)

    def _build_secrets(self, build: Build) -> dict[str, bytes]:
        """The texts of the build's secrets; without those that may be missing and are."""
        values = {name: self._inputs[name].output for name in takes_values_from(self._stage)}
        return chosen_variables(self._stage, build.secrets, values=values, outside=self._outside)

    def _in_container(
        self, image: ResolvedImage, deadline: Deadline | None, output: StageOutput, sink: OutputSink, keep: KeepVolume
    ) -> Verdict:
        """Run it in the image; its time begins with the container, unless a deadline says that it has begun."""
        variables = self._variables()
        start = launch(self._stage.run, image, variables.unseen)
        with self._network() as lease, self._container(image, start, variables, lease, keep) as container:
            self._fill(container, image)
            verdict = self._execute(container, start, lease, deadline, output, sink)
            if verdict.exit_code == NOT_FOUND and start.command[0] == SHELL and not self._has_shell(container):
                # Into the first line, which is the one that is shown everywhere.
                first, _, rest = (verdict.message or "").partition("\n")
                message = f"{first}: the image {image.ref} has no {SHELL} to run the script\n{rest}"
                verdict = Verdict(verdict.status, verdict.exit_code, message.rstrip())
            if verdict.status.succeeded and self._run.images.is_to_be_kept(self._stage):
                self._run.images.keep(self._stage, container)
        return verdict

    def _variables(self) -> Variables:
        always = runtime_variables(self._run.identity, self._stage)
        own = self._stage.env.keys() | self._outside.keys()
        if self._run.aws:
            always |= {name: text for name, text in aws_folder.VARIABLES.items() if name not in own}
        values = {name: self._inputs[name].output for name in takes_values_from(self._stage)}
        variables = container_variables(
            self._stage, always=always, values=values, outside=self._outside, secrets=self._run.secrets
        )
        # The image's own command may do without a shell, which is what takes variables that are not stored.
        leaves_none = self._stage.run is not None and self._run.images.is_to_be_kept(self._stage)
        return variables.unstored() if leaves_none else variables

    @contextmanager
    def _network(self) -> Iterator[Lease]:
        own = nullcontext(Lease(self._stage.network.value))
        with self._run.slots.lease() if uses_bridge(self._stage) else own as lease:
            yield lease

    @contextmanager
    def _container(
        self, image: ResolvedImage, start: Launch, variables: Variables, lease: Lease, keep: KeepVolume
    ) -> Iterator[str]:
        stage = self._stage
        outputs = {name: self._inputs[name].output for name in stage.needs}
        spec = ContainerSpec(
            name=self._run.labels.name(stage.name),
            image=image.id,
            command=start.command,
            labels=self._run.labels.of_stage(stage.name),
            env=variables.stored,
            mounts=(*self._run.mounts.of(stage, outputs, image.id), *self._script(image, start)),
            working_dir=stage.working_dir,
            user=stage.user,
            network=lease.network,
            platform=stage.platform,
            cpus=stage.cpus,
            memory=stage.memory,
            pids=self._run.confinement.pids,
            dropped=self._run.confinement.dropped,
        )
        container = self._run.engine.create(spec)
        try:
            yield container
        finally:
            self._put_away = True
            self._run.putting_away.do(lambda: self._remove(container, keep))

    def _remove(self, container: str, keep: KeepVolume) -> None:
        """Hand on what is in the stage's volume, as long as there is a container to read it through, and remove that."""
        run, stage = self._run, self._stage
        kept = self._ran and not stage.no_log
        check = run.running.refuse_when_killed
        try:
            with files_of(run.engine, container, stage.name, check) if kept else nullcontext() as files:
                keep(None if files is None else run.confinement.leaving(files))
        finally:
            run.engine.remove(container)

    def _script(self, image: ResolvedImage, start: Launch) -> Iterator[ContainerMount]:
        """A script that is a file lies in a volume: an image that is made of the container does not hold it."""
        if start.script is not None:
            path, text = start.script
            folder, _, name = path.rpartition("/")
            yield ContainerMount("volume", self._run.volumes.script(name, text, image.id), folder, read_only=True)

    def _fill(self, container: str, image: ResolvedImage) -> None:
        """Put what the stage is to find into its container."""
        user = self._stage.user or image.user
        if self._stage.on is not None:
            self._run.volumes.copy(self._stage, self._stage.on, container, image.id, user)
        if not is_root(user):
            self._run.volumes.make_writable(self._stage, container)

    def _execute(  # noqa: PLR0917  what a run of a container takes
        self, container: str, start: Launch, lease: Lease, deadline: Deadline | None, output: StageOutput, sink: OutputSink
    ) -> Verdict:
        running = self._run.running
        ending = partial(self._run.engine.stop, container)
        with running.watch(ending, deadline or Deadline.of(self._stage.timeout)) as watch:
            if watch.stop is not None:
                return Verdict(watch.stop.status, None, watch.stop.message)
            give_up = lambda why: running.end(watch, Stop(StageStatus.ERROR, why))  # noqa: E731  as short as it is long
            capture = Capture(output, self._run.masker, sink, give_up)
            bounded = self._run.confinement.printing(capture, partial(running.end, watch))
            lease.clean = False
            self._ran = True
            try:
                state = self._run.engine.run(container, start.stdin, bounded)
            except ContainerVanishedError:
                if watch.stop is None:
                    raise
                return Verdict(watch.stop.status, None, watch.stop.message)
            finally:
                capture.finish()
            lease.clean = True  # with the first process of a container, all its others have ended
        if watch.stop is None and start.was_lost(state.exit_code, capture.tail.text().rpartition("\n")[2]):
            raise EngineError(
                "its variables could not be passed to it, so it did not run",
                "does a proxy or firewall close connections to the engine?",
            )
        verdict = judge(state, stop=watch.stop, never_fail=self._stage.never_fail)
        return verdict if self._stage.no_log else verdict.with_tail(capture.tail.text())

    def _has_shell(self, container: str) -> bool:
        try:
            for _ in self._run.engine.get(container, SHELL):
                pass
        except EngineError:
            return False
        return True
