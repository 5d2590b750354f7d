"""The images of a run, each resolved once: what runs is what was there when the run began (LANGUAGE section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.pipeline import ImageReference, Pipeline, PullPolicy, Stage, StageName
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Engine, ResolvedImage

AT_ONCE = 4
"""Images that are looked up or pulled at the same time."""

Images: TypeAlias = Mapping[StageName, ResolvedImage]


@dataclass(frozen=True, slots=True)
class _Request:
    ref: str
    pull: PullPolicy
    platform: str | None


def resolve_images(engine: Engine, pipeline: Pipeline, notify: Callable[[str], None]) -> Images:
    """Every stage's image, one digest for the whole run.

    Args:
        engine: where the images are to be.
        pipeline: the stages that will run.
        notify: told what is pulled.

    Raises:
        EngineError: images cannot be had; names all of them.
    """
    requests = {stage.name: _request(stage) for stage in pipeline if stage.image is not None}
    distinct = list(dict.fromkeys(requests.values()))

    def resolve(request: _Request) -> ResolvedImage:
        return engine.resolve_image(request.ref, pull=request.pull, platform=request.platform, progress=notify)

    answers = dict(zip(distinct, run_each(resolve, distinct, at_once=AT_ONCE), strict=True))
    errors = [answer for answer in answers.values() if isinstance(answer, DockerciseError)]
    if errors:
        raise _together(errors)
    found = {request: answer for request, answer in answers.items() if isinstance(answer, ResolvedImage)}
    return {name: found[request] for name, request in requests.items()}


def _request(stage: Stage) -> _Request:
    if not isinstance(stage.image, ImageReference):
        raise EngineError(f"{stage.name}: the image of another stage cannot be run in yet", "name an image")
    return _Request(stage.image.ref, stage.pull, stage.platform)


def _together(errors: list[DockerciseError]) -> DockerciseError:
    if len(errors) == 1:
        return errors[0]
    hints = list(dict.fromkeys(error.hint for error in errors if error.hint))
    messages = "\n".join(f"  {error.message}" for error in errors)
    return EngineError(f"{len(errors)} images cannot be used:\n{messages}", "; ".join(hints) or None)
