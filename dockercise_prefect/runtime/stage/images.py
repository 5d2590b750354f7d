"""The images of a run. Each is resolved once, so stages use the images that existed when the run began (LANGUAGE section 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from dockercise_prefect.archives.tarball import tar_stream
from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.pipeline import ImageReference, Pipeline, PullPolicy, Stage, StageImage, StageName
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.concurrent import Once, run_each
from dockercise_prefect.runtime.dockerfile.reference import parse_reference
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.image_build import BuildSpec

AT_ONCE = 4
"""How many images are looked up or pulled at the same time."""


class Images:
    """The image of each stage of a run: images that existed when it began, and images that its stages make.

    Thread-safe, after `resolve` was called.

    Args:
        engine: where they are.
        pipeline: the stages that will run.
        labels: of the run.
    """

    def __init__(self, engine: Engine, pipeline: Pipeline, labels: Labels) -> None:
        self._engine = engine
        self._pipeline = pipeline
        self._labels = labels
        self._resolved: Mapping[StageName, ResolvedImage] = {}
        all_images = [each.image for each in pipeline.containers.values()]
        self._wanted = {image.stage for image in all_images if isinstance(image, StageImage)}
        self._made: dict[StageName, ResolvedImage] = {}
        self._empty: Once[None, str] = Once()

    def resolve(self, notify: Callable[[str], None]) -> None:
        """Find the images that stages name; see `resolve_images`."""
        self._resolved = resolve_images(self._engine, self._pipeline, notify)

    @property
    def first(self) -> str | None:
        """The id of the image of the first stage that names one; None if no stage names an image."""
        return next((image.id for image in self._resolved.values()), None)

    def of(self, stage: Stage) -> ResolvedImage | None:
        """The image of a stage; None if it builds its own, or has none.

        Raises:
            EngineError: the stage that should have left the image did not.
        """
        if isinstance(stage.image, StageImage):
            maker = stage.image.stage
            if maker not in self._made:
                raise EngineError(
                    f"{maker} left no image for {stage.name} to run in", "a stage without a container leaves no image"
                )
            return self._made[maker]
        return self._resolved.get(stage.declared_name)

    def any(self) -> str:
        """The id of any image that helper containers can be made from. If no stage names an image, an empty one is made.

        Raises:
            EngineError: the empty image could not be made.
        """
        return self.first or self._empty.get(None, self._make_empty)

    def is_to_be_kept(self, stage: Stage) -> bool:
        """Whether an image is to be made from what the stage leaves in its container, since another stage of the run needs it.

        False for a stage that builds: other stages get the image that it built.
        """
        return stage.name in self._wanted and stage.build is None

    def note(self, stage: StageName, image: ResolvedImage) -> None:
        """Record an image that a stage made, for all stages that run in it."""
        self._made[stage] = image

    def _make_empty(self) -> str:
        spec = BuildSpec(what="helpers", dockerfile=b"FROM scratch\n", labels=self._labels.of_run(), network="none")
        image = self._engine.build(spec, tar_stream([])).run(lambda *_: None).image
        if image is None:
            raise EngineError("the engine cannot build an empty image")
        return image


def made_image(engine: Engine, id_: str, what: str) -> ResolvedImage:
    """An image that a stage made.

    Args:
        engine: where it is.
        id_: of the image.
        what: which image it is, for messages.

    Raises:
        EngineError: the image is gone.
    """
    found = engine.resolve_image(id_, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    return replace(found, ref=what)


def words_for_image(maker: Stage) -> str:
    """What the image that a stage makes is called, in words that follow `the image`."""
    return f"that {maker.name} {'left' if maker.build is None else 'built'}"


_BY_STRENGTH = (PullPolicy.ALWAYS, PullPolicy.MISSING, PullPolicy.NEVER)
"""If stages name one image with different `pull`, the first of these is used: an image has one digest for the whole run."""

_Asked: TypeAlias = tuple[str, str, str | None]
"""An image and a platform. `busybox` and `docker.io/library/busybox:latest` are the same image."""


def resolve_images(engine: Engine, pipeline: Pipeline, notify: Callable[[str], None]) -> Mapping[StageName, ResolvedImage]:
    """The image of every stage and service that names one, one digest for the whole run.

    Args:
        engine: the engine that needs the images.
        pipeline: the stages that will run.
        notify: called with what is pulled.

    Raises:
        EngineError: images cannot be found or pulled. The message names all of them.
    """
    users: dict[_Asked, list[tuple[Stage, str]]] = defaultdict(list)
    for stage in pipeline.containers.values():
        if isinstance(stage.image, ImageReference):
            reference = parse_reference(stage.image.ref)
            users[reference.repository, reference.version, stage.platform].append((stage, stage.image.ref))

    def resolve(asked: _Asked) -> ResolvedImage:
        policy = min((stage.pull for stage, _ in users[asked]), key=_BY_STRENGTH.index)
        _, ref = users[asked][0]
        return engine.resolve_image(ref, pull=policy, platform=asked[2], progress=notify)

    answers = dict(zip(users, run_each(resolve, list(users), at_once=AT_ONCE), strict=True))
    errors = [answer for answer in answers.values() if isinstance(answer, DockerciseError)]
    if errors:
        raise _together(errors)
    found = {asked: answer for asked, answer in answers.items() if isinstance(answer, ResolvedImage)}
    return {stage.name: replace(found[asked], ref=ref) for asked, named in users.items() for stage, ref in named}


def _together(errors: list[DockerciseError]) -> DockerciseError:
    if len(errors) == 1:
        return errors[0]
    hints = list(dict.fromkeys(error.hint for error in errors if error.hint))
    messages = "\n".join(f"  {error.message}" for error in errors)
    return EngineError(f"{len(errors)} images cannot be used:\n{messages}", "; ".join(hints) or None)
