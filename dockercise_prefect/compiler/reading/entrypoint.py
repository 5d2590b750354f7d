"""`entrypoint`: the program that gets the words of `run` as its arguments (LANGUAGE-2 section 9)."""

from __future__ import annotations

from dockercise_prefect.compiler.reading.shapes import TEXT, one_or_many
from dockercise_prefect.compiler.reading.values import Field, reads, text, texts
from dockercise_prefect.frontend.nodes import Scalar

_FORMS = "write `true` for the image's own entrypoint, a program, or a list of a program and its first arguments"


@reads({"anyOf": [{"enum": [True]}, one_or_many(TEXT)]})
def entrypoint(field: Field) -> tuple[str, ...] | None:
    """A program and its first arguments; empty for the image's own entrypoint."""
    node = field.node
    if isinstance(node, Scalar) and node.kind == "bool":
        if node.text == "true":
            return ()
        field.wrong_value("`false` has no meaning here", "remove the key: then a shell runs the script")
        return None
    if isinstance(node, Scalar):
        value = text(field)
        if value is not None and len(value.split()) != 1:
            field.wrong_value(f"`{value}` is not the name or the path of one program", _FORMS)
            return None
        return None if value is None else (value,)
    found = tuple(written for written, _ in texts(field))
    if not found or not found[0]:
        field.wrong_value("the entrypoint is empty", _FORMS)
        return None
    return found
