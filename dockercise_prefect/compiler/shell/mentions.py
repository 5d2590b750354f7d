"""What a script names: variables it uses, variables it sets itself, and words that may hold paths (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from dockercise_prefect.compiler.shell.literals import LITERALS, Literal, literal
from dockercise_prefect.compiler.shell.parse import Parsed, parse, walk
from dockercise_prefect.compiler.shell.patterns import patterns

LONGEST = 262_144
"""Bytes of a script that is parsed; what the grammar does not understand can take time by the square of its length."""

LONGEST_NAME = 256
"""Bytes of a variable's name that are looked at; a stage's name has at most 200."""

_USE = re.compile(r"(?<!\\)((?:\\\\)*)(\$\{?[#!]?([A-Za-z_]\w*))", re.ASCII)
_VALUE = r"(?:\$\([^)\n]*\)|\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|[^\s;&|\"'`])*"
_BEGIN = r"(?:^|[;&|({]|\b(?:then|do|else|if|while|until|export|readonly|local|declare|typeset)[ \t])[ \t]*"
_ASSIGNMENTS = re.compile(rf"{_BEGIN}((?:[A-Za-z_]\w*\+?={_VALUE})(?:[ \t]+[A-Za-z_]\w*\+?={_VALUE})*)[ \t]*(?=$|[;&|)])",
                          re.ASCII | re.MULTILINE)  # fmt: skip
"""Assignments that stand alone, as far as a pattern can tell: not the words of a command that look like them."""

_ASSIGNMENT = re.compile(rf"([A-Za-z_]\w*)\+?=({_VALUE})", re.ASCII)
_OTHER_SETTERS = re.compile(r"\bfor[ \t]+([A-Za-z_]\w*)|\bread((?:[ \t]+[-\w]+)+)", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

_LOCAL = frozenset({"local", "declare", "typeset"})
_ASSIGNING = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="})
_STEPS = frozenset({"++", "--"})
_TRANSPARENT = frozenset({"builtin", "command"})
"""What may stand in front of a command without changing what it sets."""


@dataclass(frozen=True, slots=True)
class Use:
    """Where a variable is used first: the text that uses it (`$A`, `${A`), and the byte of the script at which it begins."""

    text: str
    start: int


@dataclass(slots=True)
class Mentions:
    """What one script names.

    Attributes:
        uses: variables whose value the script takes, each with its first use.
        assigned: variables that the script sets itself, wherever it does.
        literals: its words that hold a `/`, comments left out, in order.
        understood: False where the grammar did not understand it: then these are what its text looks like, rather too many.
    """

    uses: dict[str, Use] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    literals: list[Literal] = field(default_factory=list)
    understood: bool = True


def mentions(script: str) -> Mentions:
    """Read a script, by its grammar where that understands it."""
    if len(script.encode("utf-8", "surrogatepass")) <= LONGEST:
        parsed = parse(script)
        if parsed.is_understood:
            return _Reader(parsed).read()
    return _by_text(script)


class _Reader:
    """Walks a tree, parents before what is in them, so that a parent can say what its parts are."""

    def __init__(self, script: Parsed) -> None:
        self._script = script
        self._found = Mentions()
        self._settled: set[int] = set()

    def read(self) -> Mentions:
        for node in walk(self._script.root):
            if node.id not in self._settled:
                self._node(node)
        return self._found

    def _node(self, node: Node) -> None:
        match node.type:
            case "simple_expansion" | "expansion":
                self._expansion(node)
            case "variable_name":  # of arithmetic: all others are settled by what they are in
                self._use(node, node)
            case "command":
                self._command(node)
            case "heredoc_redirect":
                self._here_document(node)
            case kind if kind in LITERALS:
                self._literal(node)
            case _:
                self._assignment(node)

    def _literal(self, node: Node) -> None:
        if node.type == "concatenation":
            self._settle(child for child in node.children if child.type in LITERALS)
            if node.children[-1].type == "$":
                self._torn(node.children[-1])
        if self._script.data.find(b"/", node.start_byte, node.end_byte) >= 0:
            self._found.literals.append(literal(node, self._script))

    def _torn(self, dollar: Node) -> None:
        """The grammar tears `"a"/$B/c` apart behind the dollar."""
        name = _NAME.match(self._script.data[dollar.end_byte : dollar.end_byte + LONGEST_NAME].decode("utf-8", "replace"))
        if name:
            self._found.uses.setdefault(name[0], Use(f"${name[0]}", dollar.start_byte))

    def _assignment(self, node: Node) -> None:
        match node.type:
            case "variable_assignment" | "for_statement":
                self._assigned(node.children[:2])
            case "unset_command":
                self._assigned(node.children)
                self._found.assigned.update(self._quoted_names(node.children))
            case "declaration_command":
                self._declaration(node)
            case "binary_expression" if any(child.type in _ASSIGNING for child in node.children):
                self._assigned(node.children[:1])
            case "postfix_expression" | "unary_expression" if any(child.type in _STEPS for child in node.children):
                self._assigned(node.children)

    def _declaration(self, node: Node) -> None:
        """`local A` makes a variable of its own; `export A` alone neither sets nor uses one, `export "A=x"` sets it."""
        if node.children[0].type in _LOCAL:
            self._assigned(node.children)
        else:
            self._settle(child for child in node.children if child.type == "variable_name")
        texts = [literal(child, self._script).text for child in node.children if child.type in LITERALS]
        self._found.assigned.update(match[1] for text in texts if (match := _ASSIGNMENT.match(text)))

    def _expansion(self, node: Node) -> None:
        name = next(iter(_names(node.children)), None)
        if name is None:
            return
        self._settle([name])
        self._use(node, name)
        if any(child.type in {"=", ":="} for child in node.children):
            self._found.assigned.add(_text(name))

    def _use(self, node: Node, name: Node) -> None:
        text = (node.text or b"")[: name.end_byte - node.start_byte].decode("utf-8", "replace")
        if _NAME.fullmatch(_text(name)):  # `$1` is none
            self._found.uses.setdefault(_text(name), Use(text, node.start_byte))

    def _assigned(self, nodes: list[Node]) -> None:
        names = list(_names(nodes))
        self._settle(names)
        self._found.assigned.update(_text(name) for name in names)

    def _command(self, node: Node) -> None:
        for child in node.children:
            if child.type == "variable_assignment":  # in front of a command: for that command alone, not for the script
                self._settle([child, *_names([child])])
        name = node.child_by_field_name("name")
        arguments = node.children_by_field_name("argument")
        if name is None:
            return
        for pattern in patterns(name.children[0] if name.children else name, arguments, self._script):
            self._settle([pattern, *(child for child in pattern.children if child.type in LITERALS)])
        called = _text(name)
        if called in _TRANSPARENT and arguments:
            called, arguments = literal(arguments[0], self._script).text, arguments[1:]
        match called:
            case "read" | "getopts" | "mapfile" | "readarray":
                self._found.assigned.update(self._quoted_names(arguments))
            case "printf" if arguments and _text(arguments[0]) == "-v":
                self._found.assigned.update(self._quoted_names(arguments[1:2]))
            case "let":
                self._found.assigned.update(match[0] for each in arguments if (match := _NAME.search(_text(each))))

    def _quoted_names(self, nodes: Iterable[Node]) -> Iterator[str]:
        """The words that are names of variables, be they quoted."""
        texts = (literal(node, self._script).text for node in nodes if node.type in LITERALS)
        return (text for text in texts if _NAME.fullmatch(text))

    def _here_document(self, node: Node) -> None:
        """In one that begins with `<<-` the grammar misses what stands after a tab, so its text is looked through."""
        start = next((child for child in node.children if child.type == "heredoc_start"), None)
        body = next((child for child in node.children if child.type == "heredoc_body"), None)
        if start is None or body is None or node.children[0].type != "<<-" or any(mark in _text(start) for mark in "'\"\\"):
            return
        for name, use in _uses(self._script.text(body), body.start_byte).items():
            self._found.uses.setdefault(name, use)

    def _settle(self, nodes: Iterable[Node]) -> None:
        self._settled.update(node.id for node in nodes)


def _names(nodes: list[Node]) -> Iterator[Node]:
    """The variables that nodes name, be it as `a[1]` or in an assignment."""
    for node in nodes:
        match node.type:
            case "variable_name":
                yield node
            case "subscript":
                yield from _names(node.children[:1])
            case "variable_assignment":
                yield from _names(node.children[:1])


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _uses(text: str, start: int) -> dict[str, Use]:
    """What the text looks like using; each variable with its first use."""
    first: dict[str, re.Match[str]] = {}
    for match in _USE.finditer(text):
        first.setdefault(match[3], match)
    return {
        name: Use(match[2], start + len(text[: match.start(2)].encode("utf-8", "surrogatepass")))
        for name, match in first.items()
    }


def _by_text(script: str) -> Mentions:
    found = Mentions(uses=_uses(script, 0), understood=False)
    for match in _ASSIGNMENTS.finditer(script):
        for name, value in _ASSIGNMENT.findall(match[1]):
            if value.strip('"{}') not in {f"${name}", f"${{{name}"}:
                found.assigned.add(name)
    for match in _OTHER_SETTERS.finditer(script):
        found.assigned.update(_NAME.findall(" ".join(group for group in match.groups() if group)))
    positions = []
    byte = 0
    for character in script:
        positions.append(byte)
        byte += len(character.encode("utf-8", "surrogatepass"))
    found.literals.append(Literal(script, tuple(positions)))
    return found
