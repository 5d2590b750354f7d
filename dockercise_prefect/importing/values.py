"""Values of the language as nodes, for writing."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from typing import TypeAlias

from dockercise_prefect.frontend.nodes import Mapping, Node, Position, Scalar, Sequence

Value: TypeAlias = "str | int | bool | SequenceOf[Value] | MappingOf[str, Value] | None"

_AT = "", Position(0, 0)


def node_of(value: Value) -> Node:
    """The node of a value."""
    match value:
        case None:
            return Scalar(*_AT, "", "null")
        case bool():
            return Scalar(*_AT, "true" if value else "false", "bool")
        case int():
            return Scalar(*_AT, str(value), "number")
        case str():
            return Scalar(*_AT, value)
        case MappingOf():
            return Mapping(*_AT, {key: (Scalar(*_AT, key), node_of(each)) for key, each in value.items()})
        case _:
            return Sequence(*_AT, tuple(node_of(each) for each in value))
