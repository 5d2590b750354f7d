"""Binding: puts the values of its parameters into a pipeline, at the beginning of a run (docs/adr/0063)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dockercise_prefect.errors import DefinitionError, Diagnostic
from dockercise_prefect.pipeline.as_json.digest import digest_of
from dockercise_prefect.pipeline.codes import Code
from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.parameters.values import (
    Parameter,
    Value,
    given_problems,
    missing_problems,
    shortened,
    text_of,
    with_values,
)
from dockercise_prefect.pipeline.sources import LiteralValue, ParameterValue


def bound(pipeline: Pipeline, given: Mapping[str, object] | None = None) -> Pipeline:
    """The pipeline in which each variable of a parameter is a text. The digest is that of the result.

    Args:
        pipeline: the pipeline. One that is bound already stays the same.
        given: values of parameters, as texts or as values of JSON. The others have their defaults.

    Raises:
        DefinitionError: a name is not a parameter, a value is wrong (DK055), or a parameter has no value (DK054).
    """
    if not pipeline.parameters and not given:
        return pipeline
    problems = list(given_problems(pipeline.parameters, given or {}))
    if problems:
        raise DefinitionError(problems)
    parameters = with_values(pipeline.parameters, given or {})
    problems = [
        *missing_problems(parameters),
        *(_compiled_otherwise(old) for old, new in zip(pipeline.parameters, parameters, strict=True) if _is_too_late(old, new)),
    ]
    if problems:
        raise DefinitionError(problems)
    texts = {parameter.name: parameter.text or "" for parameter in parameters}
    stages = [_bound_stage(stage, texts) for stage in pipeline]
    with_texts = replace(pipeline, stages=stages, parameters=parameters, digest=None)
    return with_texts.with_digest(digest_of(with_texts))


def parameter_values(pipeline: Pipeline) -> dict[str, Value]:
    """The values of the parameters of a pipeline, without those that have none."""
    return {one.name: one.default for one in pipeline.parameters if one.default is not None}


def _bound_stage(stage: Stage, texts: Mapping[str, str]) -> Stage:
    if not any(isinstance(source, ParameterValue) for source in stage.env.values()):
        return stage
    env = {
        name: LiteralValue(texts[source.parameter]) if isinstance(source, ParameterValue) else source
        for name, source in stage.env.items()
    }
    return replace(stage, env=env)


def _is_too_late(old: Parameter, new: Parameter) -> bool:
    return old.is_fixed and new.default != old.default


def _compiled_otherwise(parameter: Parameter) -> Diagnostic:
    was = shortened(text_of(parameter.default)) if parameter.default is not None else ""
    return Diagnostic(
        Code.WRONG_PARAMETER,
        f"the parameter `{parameter.name}`: the pipeline was compiled for `{was}`, which is part of its images or other keys",
        parameter.place,
        hint=f"compile it again: `dockercise compile --param {parameter.name}=…`",
    )
