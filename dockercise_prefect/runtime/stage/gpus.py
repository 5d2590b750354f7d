"""Makes sure that the engine has the GPUs that stages ask for, before any stage starts."""

from __future__ import annotations

from dockercise_prefect.errors import DefinitionError, Diagnostic, EngineError
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.engine import ContainerSpec, Engine


def check_gpus(engine: Engine, pipeline: Pipeline, image: str, labels: Labels) -> None:
    """Start a container with the GPUs of each stage that asks for some.

    No answer of an engine says whether it can give GPUs to containers. Only the start of a container shows it.

    Args:
        engine: the engine.
        pipeline: the stages that will run.
        image: the id of any image on the engine.
        labels: of the containers, which are removed.

    Raises:
        DefinitionError: the engine cannot give a stage its GPUs (DK056). Has all such stages.
    """
    refusals = {gpus: _refusal(engine, gpus, image, labels) for gpus in {stage.gpus for stage in pipeline if stage.gpus}}
    findings = [
        Diagnostic("DK056", f"{stage.name} cannot have `gpus: {stage.gpus}`: {refusal}", stage.place, hint=_HINT)
        for stage in pipeline
        if stage.gpus and (refusal := refusals[stage.gpus]) is not None
    ]
    if findings:
        raise DefinitionError(findings)


_HINT = "the engine's machine needs the GPUs, their driver, and for NVIDIA's the NVIDIA Container Toolkit"


def _refusal(engine: Engine, gpus: str, image: str, labels: Labels) -> str | None:
    spec = ContainerSpec(
        name=labels.name("gpus"),
        image=image,
        command=("true",),  # it does not matter whether the image has it
        labels=labels.of_itself("gpus"),
        gpus=gpus,
        stdin=False,
    )
    container = engine.create(spec)
    try:
        engine.run(container, None, lambda _channel, _chunk: None)
    except EngineError as error:
        return error.message
    finally:
        engine.remove(container)
    return None
