"""Texts in a script that may hold paths: words without their quotes, with a hole where only a run knows what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

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

LITERALS = frozenset(
    {"word", "number", "raw_string", "string", "ansi_c_string", "concatenation", "heredoc_body", "regex", "extglob_pattern"}
)
"""Nodes that are a word, or a text that words can stand in."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, and for each character of it the byte of the script that it stands at."""

    text: str
    bytes: tuple[int, ...]


def literal(node: Node) -> Literal:
    """The text of a node of `LITERALS`."""
    pieces = list(_pieces(node))
    text = "".join(piece for piece, _ in pieces)
    return Literal(text, tuple(position for piece, start in pieces for position in _positions(piece, start)))


def _positions(piece: str, start: int) -> Iterator[int]:
    for character in piece:
        yield start
        start += len(character.encode("utf-8", "surrogatepass"))


def _pieces(node: Node) -> Iterator[tuple[str, int]]:
    """Texts and the bytes at which they begin, outermost quotes taken away."""
    match node.type:
        case "raw_string":
            yield _text(node)[1:-1], node.start_byte + 1
        case "ansi_c_string":
            yield _text(node)[2:-1], node.start_byte + 2
        case "string":
            yield from _between(node, node.start_byte + 1, node.end_byte - 1)
        case "concatenation":
            for child in node.children:
                yield from _pieces(child)
        case "heredoc_body":
            yield from _between(node, node.start_byte, node.end_byte)
        case kind if kind in _EXPANSIONS:
            yield HOLE, node.start_byte
        case _:
            yield _text(node), node.start_byte


def _between(node: Node, start: int, end: int) -> Iterator[tuple[str, int]]:
    """The text of a node with holes for its expansions: the grammar has no nodes for the white space between them."""
    whole = node.text or b""
    for child in node.children:
        if child.type in _EXPANSIONS:
            yield _decoded(whole[start - node.start_byte : child.start_byte - node.start_byte]), start
            yield HOLE, child.start_byte
            start = child.end_byte
    yield _decoded(whole[start - node.start_byte : end - node.start_byte]), start


def _text(node: Node) -> str:
    return _decoded(node.text or b"")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
