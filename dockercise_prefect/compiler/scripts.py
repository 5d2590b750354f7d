"""`run`: a script, and what YAML makes of one that was meant otherwise."""

from __future__ import annotations

from dockercise_prefect.compiler.shapes import ANY, TEXT, Schema, matcher
from dockercise_prefect.compiler.values import Field, Script, reads, scalars
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.frontend.nodes import Sequence as List

_COMPARISON = "=|==|!=|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef)"

_TEST_SOURCE = rf"-[A-Za-z] +[^ \n]+ *|[^ \n[]+ +(?:{_COMPARISON}) +[^ \n]+ *"
_TEST = matcher(_TEST_SOURCE)
"""A test whose brackets YAML took for those of a list."""

_DASH_SOURCE = r"-[^ \n][\s\S]*"
_DASH = matcher(_DASH_SOURCE)
"""An item of a list whose dash stands too close; no command begins so."""

_MAX_SHOWN = 60
"""Characters of a command that a finding repeats."""

_SCRIPT: Schema = {**TEXT, "not": {"type": "string", "pattern": f"^(?:{_TEST_SOURCE}|{_DASH_SOURCE})$"}}


@reads(
    {
        "anyOf": [
            {**_SCRIPT, "patternErrorMessage": "this is empty; leave `run` out to run what the image itself runs"},
            {"type": "array", "items": {**ANY, "not": _SCRIPT["not"]}, "contains": TEXT},
        ]
    }
)
def script(field: Field) -> Script | None:
    """A shell script; a list is its items joined by newlines."""
    lines = scalars(field)
    for line in lines:
        _check(line, field)
    if any(line.text.strip() for line in lines):
        return Script(tuple((line.text, line.place) for line in lines))
    if lines or (isinstance(field.node, List) and not field.node.items):
        field.wrong_value("this is empty", "leave `run` out to run what the image itself runs")
    return None


def _check(line: Scalar, field: Field) -> None:
    """DK024 for what is no command, because YAML took a part of it for its own."""
    text = line.text
    if line.kind != "text" or not (_DASH.match(text) or _TEST.match(text)):
        return
    shown = text if len(text) <= _MAX_SHOWN and text.isprintable() else "…"
    is_test = _TEST.match(text)
    hint = f"quote a test with its brackets: `'[ {shown} ]'`" if is_test else "an item of a list is `- command`, with a blank"
    field.at(line).wrong_value(f"`{shown}` is not a command", hint)
