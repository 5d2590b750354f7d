"""`run`: a script, and common mistakes when it is written in YAML."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

from dockercise_prefect.compiler.reading.shapes import ANY, TEXT, Schema, matcher
from dockercise_prefect.compiler.reading.values import Field, Script, reads, scalars
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.frontend.nodes import Sequence as List
from dockercise_prefect.pipeline.shells import words_of

_COMPARISON = "=|==|!=|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef)"

_TEST_SOURCE = rf"-[A-Za-z] +[^ \n]+ *|[^ \n[]+ +(?:{_COMPARISON}) +[^ \n]+ *"
_TEST = matcher(_TEST_SOURCE)
"""The only item of a list that was meant as a test: YAML read the brackets of the test as those of a list."""

_DASH = matcher(r"-[^ \n][\s\S]*")
"""A text that was meant as an item of a list, but has no space after the dash. No command begins like this.

Items of a list may begin like this: they can continue a line that ends with a backslash.
"""

_MAX_SHOWN = 60
"""The most characters of a command that a finding repeats."""


def _texts(source: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{source})$"}


@reads(
    {
        "anyOf": [
            {
                **TEXT,  # what begins with a dash is no command, but it may be an argument for an `entrypoint`
                "patternErrorMessage": "this is empty; leave `run` out to run the image's own command",
            },
            {"type": "array", "items": ANY, "contains": TEXT, "not": {"maxItems": 1, "items": _texts(_TEST_SOURCE)}},
        ]
    }
)
def script(field: Field) -> Script | None:
    """A shell script. A list is joined by newlines."""
    lines = scalars(field)
    if len(lines) == 1:
        _check(lines[0], field)
    return _joined(lines, field)


def arguments(field: Field) -> Script | None:
    """The words that an `entrypoint` gets as arguments, as a shell writes them. A list is joined by newlines."""
    found = _joined(scalars(field), field)
    try:
        words_of(found.text if found else "")
    except ValueError:
        field.wrong_value(
            "a quote is not closed", "with `entrypoint`, `run` is split into arguments as a shell splits words; close the quote"
        )
    return found


def _joined(lines: SequenceOf[Scalar], field: Field) -> Script | None:
    if any(line.text.strip() for line in lines):
        return Script(tuple((line.text, line.place) for line in lines))
    if lines or (isinstance(field.node, List) and not field.node.items):
        field.wrong_value("this is empty", "leave `run` out to run the image's own command")
    return None


def _check(line: Scalar, field: Field) -> None:
    """Report DK024 for a text that is not a command because YAML read a part of it as YAML syntax."""
    text = line.text
    pattern = _TEST if isinstance(field.node, List) else _DASH
    if line.kind != "text" or not pattern.match(text):
        return
    shown = text if len(text) <= _MAX_SHOWN and text.isprintable() else "…"
    hint = (
        f"quote a test with its brackets: `'[ {shown} ]'`"
        if pattern is _TEST
        else "write an item of a list as `- command`, with a space after `-`"
    )
    field.at(line).wrong_value(f"`{shown}` is not a command", hint)
