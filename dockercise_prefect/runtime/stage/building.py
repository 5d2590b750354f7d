"""A stage's image, built from a Dockerfile (LANGUAGE section 4, "`build`")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Build, PullPolicy, Stage
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.dockerfile.labelled import base_images
from dockercise_prefect.runtime.engine import BuildEnd, BuildSpec, Engine, ExitState, OutputSink, ResolvedImage
from dockercise_prefect.runtime.files.output import Spool, StageOutput
from dockercise_prefect.runtime.files.volumes import CONTEXT, RunVolumes
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.build_context import OpenContext, open_context
from dockercise_prefect.runtime.stage.capture import Capture
from dockercise_prefect.runtime.stage.images import Images
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict, judge
from dockercise_prefect.runtime.stage.running import Deadline, Running
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds the images of a run's stages. Thread-safe."""

    engine: Engine
    labels: Labels
    images: Images
    volumes: RunVolumes
    running: Running
    masker: Masker

    def build(
        self, stage: Stage, build: Build, secrets: Mapping[str, bytes], deadline: Deadline | None, sink: OutputSink
    ) -> ResolvedImage | Verdict:
        """Build a stage's image, which from then on is there for it and for all stages that run in it.

        Args:
            stage: whose image it is.
            build: what it says of it.
            secrets: the texts of its secrets, by their names.
            deadline: when its time is over.
            sink: gets the build's log while it is built, on `stderr`: stdout is for the stage's value.

        Returns:
            The image; else how the stage ended because of the build.

        Raises:
            EngineError: there is nothing to build, or it could not be built for another reason than a step that failed.
        """
        helper = self.images.any()
        with self.volumes.context(build.context, helper) as loader:
            context = open_context(self.engine, loader, CONTEXT, build)
            end = self._run(stage, self._spec(stage, build, context, secrets), context.stream, deadline, sink)
        if isinstance(end, Verdict):
            return end
        return self.images.add(stage, end, f"that {stage.name} built")

    def _run(
        self, stage: Stage, spec: BuildSpec, stream: Iterable[bytes], deadline: Deadline | None, sink: OutputSink
    ) -> str | Verdict:
        """The id of the image, or how the stage ended."""
        if stage.pull is PullPolicy.NEVER:
            self._refuse_missing(spec.dockerfile, spec.target)
        process = self.engine.build(spec, self._checked(stream))
        with self.running.watch(lambda _grace: process.stop(), deadline) as watch:
            give_up = lambda why: self.running.end(watch, Stop(StageStatus.ERROR, why))  # noqa: E731  as short as it is long
            capture = Capture(StageOutput(Spool()), self.masker, sink, give_up)
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
        verdict = judge(ExitState(end.exit_code), stop=None, never_fail=False)
        return verdict if stage.no_log else verdict.with_tail(capture.tail.text())

    def _refuse_missing(self, dockerfile: bytes, target: str | None) -> None:
        """`pull: never`: an engine's builder would pull what is missing, without asking."""
        for ref in base_images(dockerfile, target):
            self.engine.resolve_image(ref, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)

    def _checked(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in stream:
            self.running.refuse_when_cancelled()
            yield chunk

    def _spec(self, stage: Stage, build: Build, context: OpenContext, secrets: Mapping[str, bytes]) -> BuildSpec:
        return BuildSpec(
            what=stage.name,
            dockerfile=context.dockerfile,
            path=build.dockerfile,
            ignore=context.ignore,
            labels=self.labels.of_stage(stage.name),
            args=build.args,
            secrets=secrets,
            target=build.target,
            network=stage.network.value,
            platform=stage.platform,
            pull=stage.pull is PullPolicy.ALWAYS,
            cpus=stage.cpus,
            memory=stage.memory,
        )
