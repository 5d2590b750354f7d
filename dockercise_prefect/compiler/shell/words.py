"""Words of a script, and what the shell makes of them where that is known before it runs."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass

from tree_sitter import Node

from dockercise_prefect.compiler.shell.parse import Parsed

_ESCAPED = re.compile(r"\\(\n|.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\\n])')
_PATTERN = frozenset("*?[{")
"""What makes a bare word more than its text; the last one only in shells that know braces."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    Attributes:
        text: what it is after quotes and backslashes are taken away; None where only a run knows: variables, substitutions,
            patterns, `~`.
        is_variable: whether it is one variable and nothing else, so that it may be anything.
        start: where it begins, in characters from the script's start.
    """

    text: str | None
    is_variable: bool
    start: int


class WordReader:
    """Reads the words of one script."""

    def __init__(self, script: Parsed) -> None:
        """Prepare for a script; in one that is all ASCII, bytes and characters are counted alike."""
        self._script = script
        self._characters: array[int] | None = None
        if not script.data.isascii():
            widths = (
                len(character.encode("utf-8", "surrogatepass")) for character in script.data.decode("utf-8", "surrogatepass")
            )
            self._characters = array("l", (index for index, width in enumerate(widths) for _ in range(width)))

    def read(self, node: Node) -> Word:
        """The word that a node of the tree is."""
        start = node.start_byte if self._characters is None else self._characters[node.start_byte]
        return Word(_text(node, self._script), _is_variable(node), start)


def _is_variable(node: Node) -> bool:
    parts = node.named_children if node.type == "string" else [node]
    return len(parts) == 1 and parts[0].type in {"simple_expansion", "expansion"}


def _text(node: Node, script: Parsed) -> str | None:
    """What the shell makes of it. Words nest in concatenations and names only, so this recursion is two levels deep."""
    match node.type:
        case "word" | "number" | "variable_name":
            return _bare(script.text(node))
        case "raw_string":
            return script.text(node)[1:-1]
        case "string":
            plain = all(child.type == "string_content" for child in node.named_children)
            return _ESCAPED_IN_QUOTES.sub(_unescaped, script.text(node)[1:-1]) if plain else None
        case "command_name" | "concatenation":
            parts = [_text(child, script) for child in node.children]
            return None if None in parts else "".join(part for part in parts if part is not None)
        case _:
            return None if node.is_named else script.text(node)


def _bare(source: str) -> str | None:
    if source.startswith("~") or not _PATTERN.isdisjoint(_ESCAPED.sub("", source)):
        return None
    return _ESCAPED.sub(_unescaped, source)


def _unescaped(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]
