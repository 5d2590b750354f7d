"""The images that stages would run in, as far as the user's engine has them already."""

from __future__ import annotations

from contextlib import suppress

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import ImageReference, Pipeline, PullPolicy, StageName
from dockercise_prefect.runtime.engine import Engine, ResolvedImage


def images_on(engine: Engine, pipeline: Pipeline) -> dict[StageName, ResolvedImage]:
    """The image of each stage and service that names one. Nothing is pulled: images that a run would pull are left out.

    Args:
        engine: the engine of the run.
        pipeline: the stages of the run.
    """
    containers = pipeline.containers.values()
    always = {stage.image for stage in containers if stage.pull is PullPolicy.ALWAYS}
    found: dict[StageName, ResolvedImage] = {}
    for stage in containers:
        if isinstance(stage.image, ImageReference) and stage.image not in always:
            with suppress(EngineError):
                found[stage.name] = engine.resolve_image(
                    stage.image.ref, pull=PullPolicy.NEVER, platform=stage.platform, progress=lambda _: None
                )
    return found


def images_here(pipeline: Pipeline) -> dict[StageName, ResolvedImage]:
    """The same for the user's engine. If no engine answers, nothing is known."""
    from dockercise_prefect.runtime.docker.engine import DockerEngine  # noqa: PLC0415  only this question needs Docker

    try:
        engine = DockerEngine.connect({})
    except EngineError:
        return {}
    try:
        return images_on(engine, pipeline)
    finally:
        engine.close()
