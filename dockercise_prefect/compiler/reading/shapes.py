r"""The forms of values: parts of JSON Schema, and regular expressions that the parser and the schema share.

JSON Schema uses the expressions of ECMA-262. Shared expressions use only what has the same meaning there and in Python. Classes
are written out, because `\s`, `\d` and `\w` differ. They have no anchors, because `matcher` and `whole` add them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
"""A part of a JSON Schema, draft-07."""

SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The white space of `str.isspace`, for use in a class."""

ANY: Schema = {"type": ["string", "number", "boolean"]}
"""A text is the source text of any scalar: `user: 1000` and `run: true` are texts (LANGUAGE section 1)."""

NULL: Schema = {"type": "null"}


def matcher(source: str) -> re.Pattern[str]:
    """A shared expression for the parser. Its `match` matches the whole text or nothing."""
    return re.compile(rf"(?:{source})\Z")


def key_names(source: str, wanted: str) -> Schema:
    """A shared expression for the schema: it must match each whole key of a mapping. Editors show `wanted` for other keys.

    No type is required, because the YAML language server reads the key `22` as a number.
    """
    return {"pattern": f"^(?:{source})$", "patternErrorMessage": wanted}


def whole(source: str, wanted: str) -> Schema:
    """The same for a value that is a text and cannot be read as another type."""
    return {**key_names(source, wanted), "type": "string"}


def scalar(source: str, wanted: str) -> Schema:
    """The same for a text that may look like a number or a boolean."""
    return {**whole(source, wanted), **ANY}


TEXT: Schema = {**ANY, "pattern": f"[^{SPACE}]", "patternErrorMessage": "this is empty"}
"""A text that is not empty."""


def one_or_many(item: Schema) -> Schema:
    """A value, or a list of such values."""
    return {"anyOf": [item, {"type": "array", "items": item}]}


def or_null(schema: Schema) -> Schema:
    """The schema, or null: a key that is set to null counts as not written."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], NULL]}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [*types, "null"], **choices}


EXPANDED: Schema = {"type": "string", "pattern": r"\x24\{?[A-Za-z_]"}
"""A text with a variable whose value a schema cannot know."""


def or_expanded(schema: Schema) -> Schema:
    """The schema, or a text with a variable in it."""
    return {"anyOf": [*schema.get("anyOf", [schema]), EXPANDED]}


class Described(Protocol):
    """A description of one key of a mapping."""

    @property
    def schema(self) -> Schema:
        """The values that the key can have, in addition to null."""

    @property
    def meaning(self) -> str:
        """The text that editors show for it: one line of Markdown."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that other code reads; see `Described` for its fields."""

    schema: Schema
    meaning: str


def mapping_of(keys: Mapping[str, Described], *, required: Collection[str] = ()) -> Schema:
    """A mapping with these keys and no others; those that are not required may be null."""
    return {
        "type": "object",
        "properties": {name: _described(key, optional=name not in required) for name, key in keys.items()},
        "required": sorted(required),
        "additionalProperties": False,
    }


def _described(key: Described, *, optional: bool) -> Schema:
    schema = or_null(key.schema) if optional else key.schema
    # Language servers show the backticks of `description` unchanged, and prefer `markdownDescription` if they know it.
    return {**schema, "description": key.meaning, "markdownDescription": key.meaning}
