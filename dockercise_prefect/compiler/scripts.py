"""`run`: a script, and common mistakes of writing it in YAML."""

from __future__ import annotations

from dockercise_prefect.compiler.shapes import ANY, TEXT, Schema, matcher
from dockercise_prefect.compiler.values import Field, Script, reads, scalars
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.frontend.nodes import Sequence as List

_COMPARISON = "=|==|!=|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef)"

_TEST_SOURCE = rf"-[A-Za-z] +[^ \n]+ *|[^ \n[]+ +(?:{_COMPARISON}) +[^ \n]+ *"
_TEST = matcher(_TEST_SOURCE)
"""The only item of a list: a test whose brackets YAML took for those of the list."""

_DASH_SOURCE = r"-[^ \n][\s\S]*"
_DASH = matcher(_DASH_SOURCE)
"""A text that was meant as an item of a list, whose dash stands too close; no command begins so.

Items of a list may: they can go on where the line before ends in a backslash.
"""

_MAX_SHOWN = 60
"""Characters of a command that a finding repeats."""


def _texts(source: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{source})$"}


@reads(
    {
        "anyOf": [
            {
                **TEXT,
                "not": _texts(_DASH_SOURCE),
                "patternErrorMessage": "this is empty; leave `run` out to run the image's own command",
            },
            {"type": "array", "items": ANY, "contains": TEXT, "not": {"maxItems": 1, "items": _texts(_TEST_SOURCE)}},
        ]
    }
)
def script(field: Field) -> Script | None:
    """A shell script; a list is its items joined by newlines."""
    lines = scalars(field)
    if len(lines) == 1:
        _check(lines[0], field)
    if any(line.text.strip() for line in lines):
        return Script(tuple((line.text, line.place) for line in lines))
    if lines or (isinstance(field.node, List) and not field.node.items):
        field.wrong_value("this is empty", "leave `run` out to run the image's own command")
    return None


def _check(line: Scalar, field: Field) -> None:
    """DK024 for what is not a command, because YAML took a part of it for its own."""
    text = line.text
    pattern = _TEST if isinstance(field.node, List) else _DASH
    if line.kind != "text" or not pattern.match(text):
        return
    shown = text if len(text) <= _MAX_SHOWN and text.isprintable() else "…"
    hint = (
        f"quote a test with its brackets: `'[ {shown} ]'`"
        if pattern is _TEST
        else "an item of a list is `- command`, with a blank"
    )
    field.at(line).wrong_value(f"`{shown}` is not a command", hint)
