"""A script as a list of plain commands: their words, their redirections, and whether what they print leaves the script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from dockercise_prefect.compiler.shell.parse import Parsed, parse
from dockercise_prefect.compiler.shell.streams import Redirection, Streams
from dockercise_prefect.compiler.shell.words import Word, WordReader

_COMMANDS = frozenset({"command", "declaration_command", "unset_command", "test_command"})

_NO_WORDS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect", "comment"})
"""What may stand in a command and is none of its words."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, wherever in the script it stands.

    Attributes:
        words: its name first; assignments before it are left out. None where only redirections stand, or those of a loop, a
            group or a function.
        redirections: from left to right.
        streams: where its output goes, its redirections and all around it considered.
    """

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    streams: Streams

    @property
    def name(self) -> str | None:
        """What is called; None where only a run knows, or nothing is called."""
        return self.words[0].text if self.words else None


@dataclass(frozen=True, slots=True)
class _Around:
    """What was written behind a command. The grammar puts it around the whole list or pipeline that the command ends."""

    redirections: tuple[Redirection, ...] = ()
    words: tuple[Word, ...] = ()
    piped: bool = False

    def applied(self, streams: Streams) -> Streams:
        return (streams.piped() if self.piped else streams).after(self.redirections)


_NOTHING = _Around()


def commands_of(script: str) -> tuple[Command, ...] | None:
    """All commands of a script, in the order written; None when the script was not understood as a whole."""
    parsed = parse(script)
    return tuple(_Walk(parsed)) if parsed.is_understood else None


class _Walk:
    """Goes through a tree without recursion: a script may nest deeper than Python's stack is."""

    def __init__(self, script: Parsed) -> None:
        self._waiting: list[tuple[Node, Streams, _Around]] = [(script.root, Streams(), _NOTHING)]
        self._words_of = WordReader(script)

    def __iter__(self) -> Iterator[Command]:
        while self._waiting:
            node, streams, around = self._waiting.pop()
            match node.type:
                case "redirected_statement":
                    yield from self._redirected(node, streams, around)
                case "list" | "negated_command":
                    self._each(node, streams, around)
                case "pipeline":
                    self._pipeline(node, streams, around)
                case "command_substitution":
                    self._each(node, streams.piped())
                case "process_substitution":
                    self._each(node, streams.piped() if node.children[0].type == "<(" else streams)
                case "function_definition":
                    own = [child for child in node.named_children if child.type == "file_redirect"]
                    yield from self._compound(node, streams, self._read(own, around))
                case kind if kind in _COMMANDS:
                    yield self._command(node, streams, around)
                case _:
                    yield from self._compound(node, streams, around)

    def _command(self, node: Node, streams: Streams, around: _Around) -> Command:
        own = [child for child in node.named_children if child.type == "file_redirect"]
        around = self._read(own, around)
        self._each(node, streams)
        return Command((*self._words(node), *around.words), around.redirections, around.applied(streams))

    def _words(self, node: Node) -> Iterator[Word]:
        """The words; the grammar takes `export`, `unset` and `[` for keywords, which have no node with a name."""
        for child in node.children if node.type != "command" else node.named_children:
            assigns = node.type == "command" and child.type == "variable_assignment"
            if not assigns and child.type not in _NO_WORDS:
                yield self._words_of.read(child)

    def _compound(self, node: Node, streams: Streams, around: _Around) -> Iterator[Command]:
        """A group, a loop, a function, or a node that only holds others."""
        inner = around.applied(streams)
        if around.redirections:
            yield Command((), around.redirections, inner)
        self._each(node, inner)

    def _redirected(self, node: Node, streams: Streams, around: _Around) -> Iterator[Command]:
        """A command with redirections behind it; a here-document's node also holds what follows it on its line."""
        body = node.child_by_field_name("body")
        heredocs = [child for child in node.named_children if child.type == "heredoc_redirect"]
        beside = [child for part in (node, *heredocs) for child in part.named_children if child.type == "file_redirect"]
        piped = any(child.type == "pipeline" for heredoc in heredocs for child in heredoc.named_children)
        around = self._read(beside, _Around(around.redirections, around.words, piped or around.piped))
        if body is None:
            yield Command((), around.redirections, around.applied(streams))
        for child in reversed(node.named_children):
            is_body = body is not None and child.id == body.id
            self._waiting.append((child, streams, around if is_body else _NOTHING))

    def _read(self, redirects: list[Node], around: _Around) -> _Around:
        """With more redirections in front. In `tee >log file` the grammar takes `file` for a second target."""
        redirections: list[Redirection] = []
        words: list[Word] = []
        for node in redirects:
            descriptor = node.child_by_field_name("descriptor")
            number = descriptor.text.decode() if descriptor is not None and descriptor.text else ""
            operator = next(child.type for child in node.children if not child.is_named)
            targets = [self._words_of.read(child) for child in node.children_by_field_name("destination")]
            redirections.append(
                Redirection(operator, int(number) if number.isdecimal() else None, targets[0] if targets else None)
            )
            words += targets[1:]
        return _Around((*redirections, *around.redirections), (*words, *around.words), around.piped)

    def _pipeline(self, node: Node, streams: Streams, around: _Around) -> None:
        """What all members but the last print is read by the next one; behind `|&` also what they print on stderr."""
        members = []
        for child in node.children:
            if child.is_named:
                members.append((child, streams, around))
            elif members:
                before = members.pop()[0]
                left = Streams(stdout=False, stderr=False) if child.type == "|&" else streams.piped()
                members.append((before, left, _NOTHING))
        self._waiting += reversed(members)

    def _each(self, node: Node, streams: Streams, around: _Around = _NOTHING) -> None:
        """Visit the children later; what stands behind the node belongs to the last of them."""
        children = node.named_children
        last = len(children) - 1
        for index in range(last, -1, -1):
            self._waiting.append((children[index], streams, around if index == last else _NOTHING))
