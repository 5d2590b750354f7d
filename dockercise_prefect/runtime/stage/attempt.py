"""One attempt at a stage: takes a job, and returns what the attempt left (LANGUAGE section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from dockercise_prefect.archives.tarball import tar_stream
from dockercise_prefect.errors import DockerciseError, EngineError, StageError
from dockercise_prefect.pipeline import CODE, Build
from dockercise_prefect.pipeline.shells import words_of
from dockercise_prefect.pipeline.sources import MEMORY_FOLDER
from dockercise_prefect.runtime.cleanup.labels import Labels, attempt_labels
from dockercise_prefect.runtime.copying.copies import OverlayPlan
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec, ContainerVanishedError, ResolvedImage
from dockercise_prefect.runtime.files import aws_folder, code_history
from dockercise_prefect.runtime.files.users import is_root, look_up
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.overlay import FOLDERS, NEW, WRITABLE_FOR_ALL, Overlay, Root
from dockercise_prefect.runtime.stage.boot import SHELL, Launch, launch, launch_program
from dockercise_prefect.runtime.stage.building import Building
from dockercise_prefect.runtime.stage.capture import Capture
from dockercise_prefect.runtime.stage.images import made_image, words_for_image
from dockercise_prefect.runtime.stage.job import Job, JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict, judge
from dockercise_prefect.runtime.stage.ports import OutputWriter, Ports
from dockercise_prefect.runtime.stage.running import Deadline
from dockercise_prefect.runtime.stage.script_file import script_mounts
from dockercise_prefect.runtime.stage.secret_files import in_memory, links
from dockercise_prefect.runtime.stage.services.services import Services
from dockercise_prefect.runtime.stage.values import opened_values
from dockercise_prefect.runtime.stage.variables import (
    Variables,
    chosen_variables,
    container_variables,
    runtime_variables,
)
from dockercise_prefect.status import StageStatus

NOT_FOUND = 127
"""Exit code of a shell if the command does not exist."""


def run_attempt(job: Job, ports: Ports) -> JobResult:
    """Make one attempt at a stage.

    The result says how the attempt ended. If the engine failed, the result says so, and no error is raised. When this
    returns or raises, everything that it made has the labels of the run, the stage and the attempt. Its container has ended.
    The caller reads the volume through the container, and must remove the container.

    Args:
        job: describes the attempt.
        ports: everything else that the attempt uses.
    """
    return StageAttempt(job, ports).result()


class StageAttempt:
    """One attempt at a stage. `stage.shell` has another one, whose container runs a shell instead of the script."""

    def __init__(self, job: Job, ports: Ports) -> None:
        self._job = job
        self._stage = job.stage
        self._ports = ports
        self._labels = Labels(job.run, job.owner, attempt_labels(job.stage.name, job.attempt))
        self._volumes = Volumes(ports.engine, self._labels, ports.later, ports.running.refuse_when_cancelled)
        self._services = Services(job, ports, self._labels, self._volumes)
        self._image: ResolvedImage | None = job.image
        self._made_image: ResolvedImage | None = None
        self._container: str | None = None
        self._volume: OwnVolume | None = None

    def result(self) -> JobResult:
        started = datetime.now(UTC)
        writer = self._ports.outputs.writer(self._stage.name)
        verdict = self._verdict(writer)
        verdict, stdout = self._closed(writer, verdict)
        return JobResult(
            stage=self._stage.name,
            attempt=self._job.attempt,
            status=verdict.status,
            exit_code=verdict.exit_code,
            message=verdict.message,
            started=started,
            finished=datetime.now(UTC),
            out_of_memory=verdict.out_of_memory,
            image=self._image,
            made_image=self._made_image,
            stdout=stdout,
            volume=self._volume,
            container=self._container,
        )

    def _closed(self, writer: OutputWriter, verdict: Verdict) -> tuple[Verdict, Stdout | None]:
        try:
            return verdict, writer.close()
        except (OSError, DockerciseError) as error:
            lost = Verdict(StageStatus.ERROR, verdict.exit_code, f"its output cannot be saved: {error}")
            return lost if verdict.status.succeeded else verdict, None

    def _verdict(self, writer: OutputWriter) -> Verdict:
        try:
            stop = self._ports.running.cancelled
            return Verdict(stop.status, None, stop.message) if stop else self._ended(writer)
        except (ContainerVanishedError, StageError) as error:
            return Verdict(StageStatus.FAILED, None, str(error))
        except DockerciseError as error:
            # An error after the run was cancelled is mostly caused by the cancellation, for example a copy that was stopped.
            stop = self._ports.running.cancelled
            return Verdict(stop.status, None, stop.message) if stop else Verdict(StageStatus.ERROR, None, str(error))

    def _ended(self, writer: OutputWriter) -> Verdict:
        """Build, run, or both, with one deadline for both and for services.

        A stage that only joins others prints its variable from outside.
        """
        if self._stage.joins_only:
            value = next(iter(self._ports.texts.of(self._stage.name).values()), "")
            writer.write(value.encode("utf-8", "surrogateescape"))
            return Verdict(StageStatus.PASSED, None, None)
        deadline = Deadline.of(self._stage.timeout) if self._services or self._stage.build is not None else None
        with self._services as services:
            services.start()
            verdict = self._built_and_run(deadline, writer)
            last_words = services.last_words()
        return verdict if self._stage.no_log else verdict.with_tail(last_words)

    def _built_and_run(self, deadline: Deadline | None, writer: OutputWriter) -> Verdict:
        if self._stage.build is None:
            if self._image is None:
                raise EngineError("the job does not say which image it runs in")
            return self._in_container(self._image, deadline, writer)
        building = Building(self._job, self._stage.build, self._ports, self._labels, self._volumes)
        built = building.run(self._build_secrets(self._stage.build), deadline)
        if isinstance(built, Verdict):
            return built
        self._image = self._made_image = built
        if self._stage.starts_container:
            return self._in_container(built, deadline, writer)
        writer.write(f"{built.id}\n".encode())
        return Verdict(StageStatus.PASSED, 0, None)

    def _build_secrets(self, build: Build) -> dict[str, bytes]:
        """The texts of the build's secrets. An optional secret that is not set is left out."""
        with opened_values(self._job.variables, self._job.inputs, self._ports.outputs) as values:
            texts = self._ports.texts.of(self._stage.name)
            return chosen_variables(self._job.variables, build.secrets, values=values, texts=texts)

    def _in_container(self, image: ResolvedImage, deadline: Deadline | None, writer: OutputWriter) -> Verdict:
        """Run it in the image. Its time begins with the container, unless `deadline` is given: then it has begun already."""
        variables = self._variables()
        start = self._launch(image, variables)
        container = self._create(image, start, variables)
        self._fill(container, image)
        if variables.files:
            self._ports.engine.put(container, "/", tar_stream(links(variables.files)))
        mark = self._volume_mark(container)
        if (unready := self._services.get_ready(deadline)) is not None:
            return unready
        verdict = self._execute(container, start, deadline, writer)
        if self._volume and verdict.exit_code is not None and mark is not None and self._volume_mark(container) == mark:
            self._volume = replace(self._volume, written=False)
        if verdict.exit_code == NOT_FOUND and start.command[0] == SHELL and not self._has_shell(container):
            # Add it to the first line, since that is the line that is shown everywhere.
            first, _, rest = (verdict.message or "").partition("\n")
            message = f"{first}: the image {image.ref} has no {SHELL} to run the script\n{rest}"
            verdict = replace(verdict, message=message.rstrip())
        if verdict.status.succeeded and self._job.keeps_image:
            self._made_image = self._left_image(container, image)
        return verdict

    def _launch(self, image: ResolvedImage, variables: Variables) -> Launch:
        stage = self._stage
        if stage.entrypoint is not None and (stage.entrypoint or stage.run is not None):
            program = (*(stage.entrypoint or image.entrypoint), *words_of(stage.run or ""))
            return launch_program(program, variables.unseen, in_memory(variables.files))
        return launch(stage.run, image, variables.unseen, stage.shell, in_memory(variables.files))

    def _left_image(self, container: str, image: ResolvedImage) -> ResolvedImage:
        """An image made from what the stage left in its container."""
        made = self._ports.engine.commit(container, image.id, self._labels.of_run())
        return made_image(self._ports.engine, made, words_for_image(self._stage))

    def _variables(self) -> Variables:
        texts = self._ports.texts.of(self._stage.name)
        always = runtime_variables(self._job.run, self._stage)
        own = self._job.variables.keys() | texts.keys()
        if self._job.aws:
            always |= {name: text for name, text in aws_folder.VARIABLES.items() if name not in own}
        if self._job.git and own.isdisjoint(code_history.VARIABLES):
            always |= code_history.VARIABLES
        with opened_values(self._job.variables, self._job.inputs, self._ports.outputs) as values:
            variables = container_variables(
                self._job.variables,
                script=self._stage.run,
                always=always,
                values=values,
                texts=texts,
                secrets=self._job.secrets,
            )
        # Variables that are not stored need a shell, and the image's own command may run without a shell.
        leaves_none = self._stage.run is not None and self._job.keeps_image
        return variables.unstored() if leaves_none else variables

    def _create(self, image: ResolvedImage, start: Launch, variables: Variables) -> str:
        stage = self._stage
        self._volume = self._overlaid(image) or OwnVolume(self._volumes.own(stage.name), written=False)
        own = ContainerMount("volume", self._volume.name, stage.folder, read_only=False)
        self._container = self._ports.engine.create(self._spec(image, start, variables, own))
        return self._container

    def _overlaid(self, image: ResolvedImage) -> OwnVolume | None:
        """The stage's own volume as a copy by an overlay; None if it cannot be one."""
        origin, plan = self._job.origin, self._job.overlay
        if origin is None or plan is None or self._owns_copy(image):
            return None
        folder = FOLDERS.get(self._root(image, plan), FOLDERS[NEW])
        with suppress(EngineError):
            volume = self._volumes.overlaid(self._stage.name, Overlay(origin, plan.changes, folder))
            return OwnVolume(volume, written=False, changes=plan.changes)
        return None

    def _owns_copy(self, image: ResolvedImage) -> bool:
        """Whether the copy gets another owner: the code has none of its own, so its copy belongs to the user of the stage."""
        return self._stage.on == CODE and not is_root(self._user(image))

    def _root(self, image: ResolvedImage, plan: OverlayPlan) -> Root:
        """The root of a copy by an overlay."""
        return plan.root if is_root(self._user(image)) else WRITABLE_FOR_ALL

    def _user(self, image: ResolvedImage) -> str:
        return self._stage.user or image.user

    def _spec(self, image: ResolvedImage, start: Launch, variables: Variables, own: ContainerMount) -> ContainerSpec:
        stage, confinement = self._stage, self._job.confinement
        return ContainerSpec(
            name=self._labels.name(stage.name),
            image=image.id,
            command=start.command,
            labels=self._labels.of_itself(stage.name),
            env=variables.stored,
            mounts=(own, *self._job.mounts, *self._script(image, start)),
            working_dir=stage.working_dir,
            user=stage.user,
            network=self._job.network,
            aliases=self._job.aliases,
            platform=stage.platform,
            cpus=stage.cpus,
            memory=stage.memory,
            pids=confinement.pids,
            dropped=confinement.dropped,
            gains_rights=stage.sudo,
            stdin=start.stdin is not None,
            gpus=stage.gpus,
            in_memory=(MEMORY_FOLDER,) if variables.files else (),
        )

    def _script(self, image: ResolvedImage, start: Launch) -> Iterator[ContainerMount]:
        """The mount of a script that is a file."""
        return script_mounts(start, self._volumes, image.id)

    def _fill(self, container: str, image: ResolvedImage) -> None:
        """Put the files that the stage needs into its container."""
        stage, plan = self._stage, self._job.overlay
        if self._volume is not None and self._volume.changes is not None and plan is not None:
            root = self._root(image, plan)
            if root not in FOLDERS:
                self._volumes.set_root(stage, container, root)
            return
        if self._job.origin is not None:
            owner = look_up(self._ports.engine, container, self._user(image)) if self._owns_copy(image) else None
            self._volumes.copy(stage, self._job.origin, container, image.id, owner)
        if not is_root(self._user(image)):
            self._volumes.set_root(stage, container, WRITABLE_FOR_ALL)

    def _volume_mark(self, container: str) -> str | None:
        """A text that changes when the stage writes to its volume, which is empty at first; None if the volume is to be read.

        A volume that another stage sees is read: it counts who owns its root. And files in the folders of a copy may change
        without a change of the mark.
        """
        if self._job.is_seen or self._job.origin is not None:
            return None
        with suppress(EngineError):
            return self._ports.engine.folder_mark(container, self._stage.folder)
        return None

    def _execute(self, container: str, start: Launch, deadline: Deadline | None, writer: OutputWriter) -> Verdict:
        running = self._ports.running
        ending = partial(self._ports.engine.stop, container)
        with running.watch(ending, deadline or Deadline.of(self._stage.timeout), self._stage.stop_grace) as watch:
            if watch.stop is not None:
                return Verdict(watch.stop.status, None, watch.stop.message)
            give_up = lambda why: running.end(watch, Stop(StageStatus.ERROR, why))  # noqa: E731  a `def` would not be clearer
            capture = Capture(writer.write, self._ports.masker, self._ports.sink, give_up)
            bounded = self._job.confinement.printing(capture, partial(running.end, watch))
            if self._volume is not None:
                self._volume = replace(self._volume, written=True)
            try:
                with self._services.watched(partial(running.end, watch)):
                    state = self._ports.engine.run(container, start.stdin, bounded)
            except ContainerVanishedError:
                if watch.stop is None:
                    raise
                return Verdict(watch.stop.status, None, watch.stop.message)
            finally:
                capture.finish()
        if watch.stop is None and start.was_lost(state.exit_code, capture.tail.text().rpartition("\n")[2]):
            raise EngineError(
                "its variables could not be passed to it, so it did not run",
                "does a proxy or firewall close connections to the engine?",
            )
        stop = watch.stop or self._services.failure
        verdict = judge(state, stop=stop, never_fail=self._stage.never_fail, answers=self._job.answers)
        return verdict if self._stage.no_log else verdict.with_tail(capture.tail.text())

    def _has_shell(self, container: str) -> bool:
        try:
            for _ in self._ports.engine.get(container, SHELL):
                pass
        except EngineError:
            return False
        return True
