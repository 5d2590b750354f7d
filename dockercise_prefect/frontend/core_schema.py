"""The kind of a scalar according to YAML 1.2's core schema (LANGUAGE section 1)."""

from __future__ import annotations

import re

from dockercise_prefect.frontend.nodes import ScalarKind

SPECIAL = frozenset("~nNtTfF-+.0123456789")
"""The first characters of plain scalars that may be something else than a text."""

_PLAIN: tuple[tuple[re.Pattern[str], ScalarKind], ...] = (
    (re.compile(r"(?:~|null|Null|NULL|)\Z"), "null"),
    (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), "bool"),
    (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), "number"),
    (re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"),
     "number"),
)  # fmt: skip

_TAGGED: dict[str | None, ScalarKind] = {
    None: "text",
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:merge": "text",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:bool": "bool",
    "tag:yaml.org,2002:int": "number",
    "tag:yaml.org,2002:float": "number",
}


def kind_of_plain(text: str) -> ScalarKind:
    """The kind of a scalar that has no quotes and no tag."""
    if not text or text[0] in SPECIAL:
        for pattern, kind in _PLAIN:
            if pattern.match(text):
                return kind
    return "text"


def kind_of_tag(tag: str | None) -> ScalarKind | None:
    """The kind that a tag asks for; quotes without a tag ask for a text. None if the tag is not understood."""
    return _TAGGED.get(tag)
