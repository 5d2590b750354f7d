"""Expressions of GitHub: `github.ref == 'refs/heads/main' && !contains(matrix.os, 'windows')`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

_TOKEN = re.compile(
    r"\s*(?:(?P<op>==|!=|<=|>=|&&|\|\||[()!,<>])|'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+(?:\.\d+)?)(?![\w.-])|"
    r"(?P<name>[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|\*)|\[\s*'[^']*'\s*\])*))"
)
_BRACKETS = re.compile(r"\[\s*'([^']*)'\s*\]")
_DEEPEST = 50


class SyntaxProblemError(Exception):
    """The text is not an expression that is understood."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, `true`, `false` or `null`."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """`matrix.python-version`, in lower case except for what follows `env`, `secrets` and the like."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`startsWith(a, b)`; the name in lower case."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """`&&`, `||`, `==`, `!=`, or `!` with one operand."""

    sign: str
    operands: tuple[Expression, ...]


Expression: TypeAlias = Literal | Name | Call | Operation


def parsed(text: str) -> Expression:
    """Read an expression.

    Raises:
        SyntaxProblemError: it is not one, or one of a rare kind.
    """
    parser = _Parser(text)
    found = parser.any(0)
    if parser.tokens:
        raise SyntaxProblemError
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise SyntaxProblemError
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()

    def any(self, depth: int) -> Expression:
        return self._joined("||", depth)

    def _joined(self, sign: str, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise SyntaxProblemError
        one = self._compared if sign == "&&" else self._all
        parts = [one(depth)]
        while self._skip(sign):
            parts.append(one(depth))
        return parts[0] if len(parts) == 1 else Operation(sign, tuple(parts))

    def _all(self, depth: int) -> Expression:
        return self._joined("&&", depth)

    def _compared(self, depth: int) -> Expression:
        left = self._one(depth)
        for sign in ("==", "!="):
            if self._skip(sign):
                return Operation(sign, (left, self._one(depth)))
        return left

    def _one(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise SyntaxProblemError
        if self._skip("!"):
            return Operation("!", (self._one(depth + 1),))
        if self._skip("("):
            found = self.any(depth + 1)
            self._expect(")")
            return found
        if not self.tokens:
            raise SyntaxProblemError
        kind, text = self.tokens.pop(0)
        if kind == "op":
            raise SyntaxProblemError
        if kind == "text":
            return Literal(text.replace("''", "'"))
        if kind == "number" or text in {"true", "false", "null"}:
            return Literal("" if text == "null" else text)
        if self._skip("("):
            return self._call(text.lower(), depth)
        return Name(tuple(_BRACKETS.sub(r".\1", text).split(".")))

    def _call(self, name: str, depth: int) -> Expression:
        arguments: list[Expression] = []
        while not self._skip(")"):
            if arguments:
                self._expect(",")
            arguments.append(self.any(depth + 1))
        return Call(name, tuple(arguments))

    def _skip(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == ("op", sign):
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._skip(sign):
            raise SyntaxProblemError
