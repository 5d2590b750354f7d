"""The parameters of a pipeline in its deployment: what the run form shows, and what reaches the flow of the run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.orchestration.prefect.api import LOST
from dockercise_prefect.pipeline import Parameter, Pipeline
from dockercise_prefect.pipeline.parameters.values import missing_problems

P = ParamSpec("P")
R = TypeVar("R")

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
"""Workers name the flow run of a process in this variable."""


def with_parameters_of_this_run(function: Callable[P, R]) -> Callable[P, R]:
    """Let the function of the flow take the parameters of the pipeline, too, in its `**` argument.

    Prefect refuses a run with a parameter that is not in the signature of the function. But the pipeline is known only after
    the checkout, so the signature has the names that the run of this process gives. The compiler checks them later.
    """
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Any)
        for name in _names_of_this_run()
        if name not in signature.parameters and name.isidentifier()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    return function


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a run gives to parameters of the pipeline. Prefect has null where a field of the form is left empty."""
    return {name: value for name, value in parameters.items() if value is not None}


def _names_of_this_run() -> Iterable[str]:
    flow_run = os.environ.get(FLOW_RUN)
    if flow_run is None:
        return ()
    try:
        with get_client(sync_client=True) as client:
            return tuple(client.read_flow_run(UUID(flow_run)).parameters)
    except (*LOST, ObjectNotFound, ValueError):  # the run itself says that Prefect is away
        return ()


def with_parameters(schema: Mapping[str, Any], parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The schema of a flow with the parameters of a pipeline.

    Args:
        schema: of the flow's own parameters, as Prefect makes it. It is not changed.
        parameters: of the pipeline.
    """
    properties, required = dict(schema["properties"]), list(schema.get("required", ()))
    for number, one in enumerate(parameters, start=len(properties)):
        properties[one.name] = _property(one, number)
        if one.default is None:
            required.append(one.name)
    return {**schema, "properties": properties, "required": required}


def check_unattended(pipeline: Pipeline) -> None:
    """Refuse a pipeline that nobody starts by hand, but that has a parameter without a value.

    Raises:
        DefinitionError: there is one (DK054).
    """
    missing = list(missing_problems(pipeline.parameters))
    if missing:
        raise DefinitionError(missing)


def _property(parameter: Parameter, position: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"title": parameter.name, "position": position, "type": parameter.type.value}
    if parameter.choices:
        entry["enum"] = list(parameter.choices)
    if parameter.default is not None:
        entry["default"] = parameter.default
    if parameter.description:
        entry["description"] = parameter.description
    return entry
