r"""What values look like: pieces of JSON Schema, and regular expressions that the parser and the schema share.

JSON Schema's expressions are those of ECMA-262. Shared ones are written in what both languages read alike: classes spelt out,
since `\s`, `\d` and `\w` differ, and no anchors: `matcher` and `whole` add them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
"""A piece of JSON Schema, draft-07."""

SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What `str.isspace` takes for white space, for use in a class."""

ANY: Schema = {"type": ["string", "number", "boolean"]}
"""A text is the source text of any scalar: `user: 1000` and `run: true` are texts (LANGUAGE section 1)."""

NULL: Schema = {"type": "null"}


def matcher(source: str) -> re.Pattern[str]:
    """The parser's side of a shared expression; `match` with it matches the whole text or nothing."""
    return re.compile(rf"(?:{source})\Z")


def key_names(source: str, wanted: str) -> Schema:
    """The schema's side of it, for the keys of a mapping: all of each matches. `wanted` is what an editor says of others.

    No type is asked for: the YAML language server takes the key `22` for a number.
    """
    return {"pattern": f"^(?:{source})$", "patternErrorMessage": wanted}


def whole(source: str, wanted: str) -> Schema:
    """The same for a value that is a text and cannot look like anything else."""
    return {**key_names(source, wanted), "type": "string"}


def scalar(source: str, wanted: str) -> Schema:
    """The same for texts that may look like a number or a boolean."""
    return {**whole(source, wanted), **ANY}


TEXT: Schema = {**ANY, "pattern": f"[^{SPACE}]", "patternErrorMessage": "this is empty"}
"""A text that says something."""


def one_or_many(item: Schema) -> Schema:
    """A value, or a list of such values."""
    return {"anyOf": [item, {"type": "array", "items": item}]}


def or_null(schema: Schema) -> Schema:
    """The same, or nothing: a key that is set to null counts as not written."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], NULL]}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [*types, "null"], **choices}


class Described(Protocol):
    """What a mapping says of one of its keys."""

    @property
    def schema(self) -> Schema:
        """What can stand there, beside null."""

    @property
    def meaning(self) -> str:
        """What editors show of it: one line of Markdown."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is read where it matters; `Described` says what its fields are."""

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
    # Language servers show `description` with its backticks as they stand, and prefer the other where they know it.
    return {**schema, "description": key.meaning, "markdownDescription": key.meaning}
