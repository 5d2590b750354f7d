"""Reads `each`: the stage whose lines get a member each, and how many members run at once (docs/adr/0059)."""

from __future__ import annotations

from dataclasses import dataclass

from dockercise_prefect.compiler.reading.lifecycle import parts_of
from dockercise_prefect.compiler.reading.names import REFERENCE
from dockercise_prefect.compiler.reading.shapes import Key, Schema, mapping_of, whole
from dockercise_prefect.compiler.reading.values import Field, text
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.frontend.nodes import Mapping
from dockercise_prefect.pipeline import Code, Dependency, DependencyKind, Each
from dockercise_prefect.pipeline.each import MOST_MEMBERS

_WANTED = f"write a whole number from 1 to {MOST_MEMBERS}"
_LIMIT: Schema = {
    **whole("0*(?:[1-9][0-9]{0,2}|1000)", _WANTED),
    "type": ["string", "integer"],
    "minimum": 1,
    "maximum": MOST_MEMBERS,
}
_KEYS = {
    "stage": Key(REFERENCE, "The stage that prints the lines."),
    "limit": Key(_LIMIT, "How many members run at once, at most."),
}

SCHEMA: Schema = {"anyOf": [REFERENCE, mapping_of(_KEYS, required=["stage"])]}
"""What can be written in `each`."""


@dataclass(frozen=True, slots=True)
class PlacedEach:
    """An `each`, and the edge that it makes."""

    each: Each
    edge: Dependency


def read_each(field: Field, names: StageNames) -> PlacedEach | None:
    """A stage, or a mapping of `stage` and `limit`; None if it is wrong, which is then reported."""
    limit: int | None = None
    stage: Field | None = field
    if isinstance(field.node, Mapping):
        parts = parts_of(field, _KEYS, "a stage, or a mapping of `stage` and `limit`") or {}
        stage = parts.get("stage")
        if stage is None:
            field.wrong_value("it names no stage", "add `stage: …`")
        limit = _limit(parts["limit"]) if "limit" in parts else None
    earlier = text(stage) if stage is not None else None
    if stage is None or earlier is None:
        return None
    if earlier not in names:
        if names.complete:
            message = f"{field.owner} {DependencyKind.EACH.phrase} `{earlier}`, which is not a stage"
            field.findings.error(Code.UNKNOWN_STAGE, message, stage.place, hint=names.hint(earlier))
        return None
    return PlacedEach(Each(earlier, limit), Dependency(earlier, DependencyKind.EACH, stage.place))


def _limit(field: Field) -> int | None:
    value = text(field)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value) <= MOST_MEMBERS:
        field.wrong_value(f"`{value}` is not a whole number from 1 to {MOST_MEMBERS}")
        return None
    return int(value)
