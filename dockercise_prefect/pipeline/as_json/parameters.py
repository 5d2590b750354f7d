"""Converts the parameters of a pipeline to JSON and back."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.as_json.parts import Json
from dockercise_prefect.pipeline.parameters.values import Parameter, ParameterType


def parameters_to_json(parameters: Sequence[Parameter]) -> Json:
    """The parameters by their names. What is not written is left out."""
    return {one.name: _to_json(one) for one in parameters}


def meaning_of_parameters(parameters: Sequence[Parameter]) -> Json:
    """What the parameters do, for the digest: without texts for people, and without places."""
    unread = {"description", "given", "at"}
    entries = {one.name: {key: value for key, value in _to_json(one).items() if key not in unread} for one in parameters}
    return {"parameters": entries} if entries else {}


def parameters_from_json(data: Json) -> tuple[Parameter, ...]:
    """Read what `parameters_to_json` returned.

    Raises:
        KeyError, TypeError, ValueError: the object is not from `parameters_to_json`.
    """
    return tuple(
        Parameter(
            name=name,
            type=ParameterType(entry["type"]),
            default=entry.get("default"),
            choices=tuple(entry.get("choices", ())),
            description=entry.get("description", ""),
            is_fixed=entry.get("fixed", False),
            is_given=entry.get("given", False),
            place=Place.parse(entry["at"]) if "at" in entry else None,
        )
        for name, entry in data.items()
    )


def _to_json(one: Parameter) -> Json:
    entry: Json = {"type": one.type.value}
    if one.default is not None:
        entry["default"] = one.default
    if one.choices:
        entry["choices"] = list(one.choices)
    if one.description:
        entry["description"] = one.description
    if one.is_fixed:
        entry["fixed"] = True
    if one.is_given:
        entry["given"] = True
    if one.place is not None:
        entry["at"] = str(one.place)
    return entry
