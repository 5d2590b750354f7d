"""Puts values in place of `$NAME` and `${NAME}` in what a pipeline says outside of its scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf

from dockercise_prefect.compiler.reading.names import IDENTIFIER_SOURCE
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence

_REFERENCE = re.compile(rf"\$(?:\{{(?P<braced>{IDENTIFIER_SOURCE})\}}|(?P<plain>{IDENTIFIER_SOURCE}))")


def expanded(text: str, values: MappingOf[str, str]) -> str:
    """The text with the value of each variable in place of `$NAME` and `${NAME}`. All other variables stay as written.

    What a value contains is not expanded again.

    Args:
        text: any text that is not a script.
        values: the values by the names of the variables, in upper case.
    """

    def value(reference: re.Match[str]) -> str:
        return values.get(reference["braced"] or reference["plain"], reference[0])

    return _REFERENCE.sub(value, text) if "$" in text else text


def expanded_node(node: Node, values: MappingOf[str, str]) -> Node:
    """What `expanded` makes of every text in a node. Keys, and the places of everything, stay the same."""
    match node:
        case Scalar(path, mark, text):
            result = expanded(text, values)
            return node if result == text else Scalar(path, mark, result)
        case Sequence(path, mark, items):
            return Sequence(path, mark, tuple(expanded_node(item, values) for item in items))
        case Mapping(path, mark, by_text):
            return Mapping(path, mark, {name: (key, expanded_node(item, values)) for name, (key, item) in by_text.items()})
