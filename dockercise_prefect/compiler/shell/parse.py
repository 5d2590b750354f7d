"""A script's syntax tree. Whoever imports this pays for the grammar: 30 ms."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_bash
from tree_sitter import Language, Node, Parser, Tree

_PARSER = Parser(Language(tree_sitter_bash.language()))


def parse(script: str) -> Tree:
    """The tree of a script; `tree.root_node.has_error` says whether the grammar understood all of it.

    Positions in the tree count bytes of the script's UTF-8.
    """
    return _PARSER.parse(script.encode("utf-8", "surrogatepass"))


def walk(root: Node) -> Iterator[Node]:
    """The node and all named ones below it, in the order of the text; without recursion, which deep nesting would overflow."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))
