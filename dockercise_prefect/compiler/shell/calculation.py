"""Variables that are written without a dollar sign: in arithmetic, and in texts in other languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NAME = re.compile(r"(?<![\w#.\0])[A-Za-z_]\w*", re.ASCII)
_AFTER = re.compile(r"[ \t\n]{0,16}(?:\[[^\]]{0,200}\][ \t\n]{0,16})?(\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))?")
_BEFORE = 8
"""The number of characters before a name in which `++` is searched."""

_V = r"([A-Za-z_]\w*)"
NAMED_ELSEWHERE = re.compile(
    rf"""process\.env\.{_V}|\benv\.{_V}\b|\$ENV\.{_V}|\$ENV\{{{_V}\}}|"""
    rf"""(?:process\.env|environ|\bENV|ENVIRON|\$_ENV|\$_SERVER)\[["']{_V}["']\]|"""
    rf"""(?:[gG]etenv|environ\.get|env\.get|ENV\.fetch|env::var|\b(?:str)?env)\(["']?{_V}["']?[,)]""",
    re.ASCII,
)
"""How programs in other languages read a variable from their environment."""

SHORTEST = 7
"""The number of characters of the shortest text that can contain one."""


class Variable(NamedTuple):
    """A variable of an expression."""

    name: str
    start: int
    is_used: bool
    is_set: bool


def variables(expression: str) -> Iterator[Variable]:
    """The variables of an arithmetic expression, from left to right."""
    for match in _NAME.finditer(expression):
        after = _AFTER.match(expression, match.end())
        operator = after[1] if after else None
        before = expression[max(0, match.start() - _BEFORE) : match.start()].rstrip()
        steps = before.endswith(("++", "--"))
        yield Variable(match[0], match.start(), operator != "=", operator is not None or steps)
