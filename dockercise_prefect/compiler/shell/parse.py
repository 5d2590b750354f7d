"""A script's syntax tree. Importing this module loads the grammar: 30 ms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bash.language()))

_NOT_ASCII = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A script and its tree.

    Attributes:
        data: the script in UTF-8; positions in the tree count its bytes.
        root: the tree's root. The text of its nodes is not that of the script: `text` is.
    """

    data: bytes
    root: Node

    @property
    def is_understood(self) -> bool:
        """Whether the grammar understood all of it."""
        return not self.root.has_error

    def text(self, node: Node) -> str:
        """What the script says where a node is."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogatepass")


def parse(script: str) -> Parsed:
    """Parse a script.

    On characters that are not ASCII the grammar's scanner (tree-sitter-bash 0.25) now and then ends the process by a
    segmentation fault. So the parser sees a dot for each of their bytes: like them, it is part of a word and of no name.
    """
    data = script.encode("utf-8", "surrogatepass")
    return Parsed(data, _PARSER.parse(_NOT_ASCII.sub(b".", data)).root_node)


def walk(root: Node) -> Iterator[Node]:
    """The node and all named ones below it, in the order of the text; without recursion, which deep nesting would overflow."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))
