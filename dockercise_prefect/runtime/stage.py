"""One stage in one container, from its inputs to its result (LANGUAGE section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError, StageError
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime import aws_folder
from dockercise_prefect.runtime.boot import SHELL, Launch, launch
from dockercise_prefect.runtime.capture import Capture
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.engine import ContainerSpec, ContainerVanishedError, Engine, OutputSink, ResolvedImage
from dockercise_prefect.runtime.images import Images
from dockercise_prefect.runtime.labels import Labels, RunIdentity
from dockercise_prefect.runtime.mounts import StageMounts
from dockercise_prefect.runtime.network_slots import Lease, NetworkSlots, uses_bridge
from dockercise_prefect.runtime.outcome import StageResult, Stop, Verdict, judge
from dockercise_prefect.runtime.output import Spool, StageOutput
from dockercise_prefect.runtime.running import Running
from dockercise_prefect.runtime.tarball import File, tar_stream
from dockercise_prefect.runtime.users import is_root
from dockercise_prefect.runtime.variables import Variables, container_variables, runtime_variables, takes_values_from
from dockercise_prefect.runtime.volumes import RunVolumes
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
    volumes: RunVolumes
    mounts: StageMounts
    slots: NetworkSlots
    running: Running
    background: Background
    spool: Spool
    aws: bool


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

    def result(self, sink: OutputSink) -> StageResult:
        """Run it and say how it ended; its container has ended by then, and is removed soon.

        Args:
            sink: gets the output while it runs.
        """
        started = datetime.now(UTC)
        output = StageOutput(self._run.spool)
        image = None if self._stage.image is None else self._run.images[self._stage.name]
        if image is None:
            verdict, output = self._join()
        else:
            verdict = self._verdict(image, output, sink)
        return StageResult(
            stage=self._stage.name,
            status=verdict.status,
            exit_code=verdict.exit_code,
            message=verdict.message,
            started=started,
            finished=datetime.now(UTC),
            image_digest=image.digest if image else None,
            output=output,
        )

    def _join(self) -> tuple[Verdict, StageOutput]:
        """A stage without a container: it only joins what it comes after, and has its variable from outside as its value."""
        stop = self._run.running.cancelled
        value = next(iter(self._outside.values()), "").encode("utf-8", "surrogateescape")
        return Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.PASSED, None, None), StageOutput.of(
            value
        )

    def _verdict(self, image: ResolvedImage, output: StageOutput, sink: OutputSink) -> Verdict:
        try:
            stop = self._run.running.cancelled
            return Verdict(stop.status, None, stop.message) if stop else self._in_container(image, output, sink)
        except (ContainerVanishedError, StageError) as error:
            return Verdict(StageStatus.FAILED, None, str(error))
        except DockerciseError as error:
            # What goes wrong once the run is cancelled is mostly because it is: a copy that was broken off, say.
            stop = self._run.running.cancelled
            return Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.ERROR, None, str(error))

    def _in_container(self, image: ResolvedImage, output: StageOutput, sink: OutputSink) -> Verdict:
        variables = self._variables()
        start = launch(self._stage.run, image, variables.unseen)
        with self._network() as lease, self._container(image, start, variables, lease) as container:
            self._fill(container, image, start)
            verdict = self._execute(container, start, lease, output, sink)
            if verdict.exit_code == NOT_FOUND and start.command[0] == SHELL and not self._has_shell(container):
                # Into the first line, which is the one that is shown everywhere.
                first, _, rest = (verdict.message or "").partition("\n")
                message = f"{first}: the image {image.ref} has no {SHELL} to run the script\n{rest}"
                verdict = Verdict(verdict.status, verdict.exit_code, message.rstrip())
        return verdict

    def _variables(self) -> Variables:
        always = runtime_variables(self._run.identity, self._stage)
        own = self._stage.env.keys() | self._outside.keys()
        if self._run.aws:
            always |= {name: text for name, text in aws_folder.VARIABLES.items() if name not in own}
        values = {name: self._inputs[name].output.value() for name in takes_values_from(self._stage)}
        return container_variables(self._stage, always=always, values=values, outside=self._outside)

    @contextmanager
    def _network(self) -> Iterator[Lease]:
        own = nullcontext(Lease(self._stage.network.value))
        with self._run.slots.lease() if uses_bridge(self._stage) else own as lease:
            yield lease

    @contextmanager
    def _container(self, image: ResolvedImage, start: Launch, variables: Variables, lease: Lease) -> Iterator[str]:
        stage = self._stage
        outputs = {name: self._inputs[name].output for name in stage.needs}
        spec = ContainerSpec(
            name=self._run.labels.name(stage.name),
            image=image.id,
            command=start.command,
            labels=self._run.labels.of_stage(stage.name),
            env=variables.stored,
            mounts=self._run.mounts.of(stage, outputs, image.id),
            working_dir=stage.working_dir,
            user=stage.user,
            network=lease.network,
            platform=stage.platform,
            cpus=stage.cpus,
            memory=stage.memory,
        )
        container = self._run.engine.create(spec)
        try:
            yield container
        finally:
            self._run.background.do(lambda: self._run.engine.remove(container))

    def _fill(self, container: str, image: ResolvedImage, start: Launch) -> None:
        """Put what the stage is to find into its container."""
        user = self._stage.user or image.user
        if self._stage.on is not None:
            self._run.volumes.copy(self._stage, self._stage.on, container, image.id, user)
        if not is_root(user):
            self._run.volumes.make_writable(self._stage, container)
        if start.script is not None:
            path, text = start.script
            file = File(path=path.lstrip("/"), size=len(text), content=lambda: [text], mode=0o444)
            self._run.engine.put(container, "/", tar_stream([file]))

    def _execute(self, container: str, start: Launch, lease: Lease, output: StageOutput, sink: OutputSink) -> Verdict:
        running = self._run.running
        with running.watch(container, self._stage.timeout) as watch:
            if watch.stop is not None:
                return Verdict(watch.stop.status, None, watch.stop.message)
            capture = Capture(output, sink, lambda why: running.end(watch, Stop(StageStatus.ERROR, why)))
            lease.clean = False
            try:
                state = self._run.engine.run(container, start.stdin, capture)
            except ContainerVanishedError:
                if watch.stop is None:
                    raise
                return Verdict(watch.stop.status, None, watch.stop.message)
            lease.clean = True  # with the first process of a container, all its others have ended
        verdict = judge(state, stop=watch.stop, never_fail=self._stage.never_fail)
        return verdict if self._stage.no_log else verdict.with_tail(capture.tail.text())

    def _has_shell(self, container: str) -> bool:
        try:
            for _ in self._run.engine.get(container, SHELL):
                pass
        except EngineError:
            return False
        return True
