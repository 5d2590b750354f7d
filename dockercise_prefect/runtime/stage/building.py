"""Builds a stage's image from a Dockerfile (LANGUAGE section 4, "`build`")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Build, PullPolicy
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.dockerfile.labelled import base_images
from dockercise_prefect.runtime.engine import ContainerMount, ExitState, ResolvedImage
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec
from dockercise_prefect.runtime.stage.build_context import OpenContext, open_context
from dockercise_prefect.runtime.stage.capture import Capture
from dockercise_prefect.runtime.stage.images import made_image, words_for_image
from dockercise_prefect.runtime.stage.job import Job
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict, judge
from dockercise_prefect.runtime.stage.ports import Ports
from dockercise_prefect.runtime.stage.running import Deadline
from dockercise_prefect.status import StageStatus

CONTEXT = "/context"
"""Where the volume with the build context is mounted, in the container through which it is read."""


class Building:
    """The build of one job.

    Args:
        job: a job whose stage builds an image.
        build: the stage's `build` settings.
        ports: of the attempt.
        labels: of the attempt.
        volumes: of the attempt.
    """

    def __init__(self, job: Job, build: Build, ports: Ports, labels: Labels, volumes: Volumes) -> None:
        self._job = job
        self._build = build
        self._ports = ports
        self._labels = labels
        self._volumes = volumes

    def run(self, secrets: Mapping[str, bytes], deadline: Deadline | None) -> ResolvedImage | Verdict:
        """Build the image.

        Args:
            secrets: the texts of its secrets, by their names.
            deadline: when the time of the stage is over.

        Returns:
            The image, or how the stage ended if the build failed.

        Raises:
            EngineError: there is nothing to build, or the build failed for a reason other than a failed step.
        """
        if self._job.context is None or self._job.helper is None:
            raise EngineError("the job does not say which volume contains the folder to build")
        mount = ContainerMount("volume", self._job.context, CONTEXT, read_only=True)
        with self._volumes.reader(self._job.helper, mount) as reader:
            context = open_context(self._ports.engine, reader, CONTEXT, self._build)
            end = self._run(self._spec(context, secrets), context.stream, deadline)
        if isinstance(end, Verdict):
            return end
        return made_image(self._ports.engine, end, words_for_image(self._job.stage))

    def _run(self, spec: BuildSpec, stream: Iterable[bytes], deadline: Deadline | None) -> str | Verdict:
        """The id of the image, or how the stage ended."""
        running = self._ports.running
        if self._job.stage.pull is PullPolicy.NEVER:
            self._refuse_missing(spec.dockerfile, spec.target)
        process = self._ports.engine.build(spec, self._checked(stream))
        with running.watch(lambda _grace: process.stop(), deadline, self._job.stage.stop_grace) as watch:
            give_up = lambda why: running.end(watch, Stop(StageStatus.ERROR, why))  # noqa: E731  a `def` would not be clearer
            # The build's log comes on `stderr`, since stdout is for the stage's value.
            capture = Capture(len, self._ports.masker, self._ports.sink, give_up)
            end = BuildEnd(None)
            try:
                if watch.stop is None:
                    end = process.run(capture)
            except EngineError:
                if watch.stop is None:
                    raise
            finally:
                capture.finish()
            if watch.stop is not None:
                return Verdict(watch.stop.status, None, watch.stop.message)
        if end.image is not None:
            return end.image
        verdict = judge(ExitState(end.exit_code), stop=None, never_fail=False, answers=False)
        return verdict if self._job.stage.no_log else verdict.with_tail(capture.tail.text())

    def _refuse_missing(self, dockerfile: bytes, target: str | None) -> None:
        """Refuse missing images for `pull: never`, since an engine's builder would pull them without asking."""
        resolve = partial(self._ports.engine.resolve_image, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
        for ref in base_images(dockerfile, target):
            resolve(ref)

    def _checked(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in stream:
            self._ports.running.refuse_when_cancelled()
            yield chunk

    def _spec(self, context: OpenContext, secrets: Mapping[str, bytes]) -> BuildSpec:
        stage, build = self._job.stage, self._build
        return BuildSpec(
            what=stage.name,
            dockerfile=context.dockerfile,
            path=build.dockerfile,
            ignore=context.ignore,
            labels=self._labels.of_run(),
            args=build.args,
            secrets=secrets,
            target=build.target,
            network=stage.network.value,
            platform=stage.platform,
            pull=stage.pull is PullPolicy.ALWAYS,
            cpus=stage.cpus,
            memory=stage.memory,
        )
