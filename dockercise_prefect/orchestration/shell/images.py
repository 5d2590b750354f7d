"""The image that a stage of a recorded run had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import ImageReference, PullPolicy, Stage
from dockercise_prefect.runtime.engine import Engine


def with_exact_image(stage: Stage, digest: str | None, engine: Engine, notify: Callable[[str], None]) -> Stage:
    """The stage, with its image named by the digest that the record has.

    That image may be gone: registries remove what has no tag any more, and an image without a registry is only known by its id,
    on engines that have it. Then the name is used, and the user is told.

    Args:
        stage: the stage.
        digest: of its image, from the record; None if the stage did not get that far.
        engine: where it will run.
        notify: called with what is pulled, and with a line if it may be another image.
    """
    if not isinstance(stage.image, ImageReference):
        return stage
    ref = stage.image.ref
    if digest is None:
        notify(f"the stage did not run, so its image is {ref} as it is now")
        return stage
    pull = PullPolicy.MISSING if "@" in digest else PullPolicy.NEVER
    try:
        engine.resolve_image(digest, pull=pull, platform=stage.platform, progress=notify)
    except EngineError as error:
        notify(f"the image of the run is not there, so {ref} is used as it is now ({error.message})")
        return stage
    return replace(stage, image=ImageReference(digest), pull=pull)
