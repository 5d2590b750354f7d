"""Texts in a script that may hold paths: words without their quotes, with a hole where only a run knows what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from dockercise_prefect.compiler.shell.parse import Parsed

HOLE = "\0"
"""Stands for an expansion; no script holds this character."""

_EXPANSIONS = frozenset(
    {
        "simple_expansion",
        "expansion",
        "command_substitution",
        "arithmetic_expansion",
        "process_substitution",
    }
)

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\\n])')

LITERALS = frozenset(
    {"word", "number", "raw_string", "string", "ansi_c_string", "concatenation", "heredoc_body", "regex", "extglob_pattern"}
)
"""Nodes that are a word, or a text that words can stand in."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, and for each character of it the byte of the script that it stands at."""

    text: str
    bytes: tuple[int, ...]


def literal(node: Node, script: Parsed) -> Literal:
    """The text of a node of `LITERALS`."""
    pieces = list(_pieces(node, script))
    text = "".join(piece for piece, _ in pieces)
    return Literal(text, tuple(position for piece, start in pieces for position in _positions(piece, start)))


def _positions(piece: str, start: int) -> Iterator[int]:
    for character in piece:
        yield start
        start += _size(character)


def _pieces(node: Node, script: Parsed) -> Iterator[tuple[str, int]]:
    """Texts and the bytes at which they begin, quotes and backslashes taken away as the shell does."""
    match node.type:
        case "raw_string":
            yield script.text(node)[1:-1], node.start_byte + 1
        case "ansi_c_string":
            yield script.text(node)[2:-1], node.start_byte + 2
        case "string":
            for text, start in _between(node, script, node.start_byte + 1, node.end_byte - 1):
                yield from _unescaped(text, start, _ESCAPED_IN_QUOTES)
        case "concatenation":
            for child in node.children:
                yield from _pieces(child, script)
        case "heredoc_body":
            yield from _between(node, script, node.start_byte, node.end_byte)
        case kind if kind in _EXPANSIONS:
            yield HOLE, node.start_byte
        case _:
            yield from _unescaped(script.text(node), node.start_byte, _ESCAPED)


def _unescaped(text: str, start: int, escaped: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """The text without backslashes that only protect a character; what they protect stands where they do."""
    done = 0
    for match in escaped.finditer(text):
        yield text[done : match.start()], start + _size(text[:done])
        yield match[1].strip("\n"), start + _size(text[: match.start()])
        done = match.end()
    yield text[done:], start + _size(text[:done])


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _between(node: Node, script: Parsed, start: int, end: int) -> Iterator[tuple[str, int]]:
    """The text of a node with holes for its expansions: the grammar has no nodes for the white space between them."""
    for child in node.children:
        if child.type in _EXPANSIONS:
            yield _decoded(script.data[start : child.start_byte]), start
            yield HOLE, child.start_byte
            start = child.end_byte
    yield _decoded(script.data[start:end]), start


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
