"""Regular expressions of other systems as globs."""

from __future__ import annotations

import re

_SIMPLE = re.compile(r"[\w/@:, -]+")
_NUMBER = re.compile(r"(?:\\d|\[0-9\])([+*]?)")
_CLASS = re.compile(r"\[[\w-]+\]")


def glob_of(expression: str, *, whole: bool) -> str | None:
    """A glob that matches the same names; None if there is none.

    Args:
        expression: the regular expression, without slashes around it.
        whole: whether it must match the whole name even without `^` and `$`.
    """
    begins = whole or expression.startswith(("^", ".*"))
    ends = whole or (expression.endswith("$") and not expression.endswith(r"\$"))
    rest = expression.removeprefix("^")
    rest = rest[:-1] if rest.endswith("$") and not rest.endswith(r"\$") else rest
    found = "" if begins else "*"
    while rest:
        piece = _piece(rest)
        if piece is None:
            return None
        glob, length = piece
        found += glob
        rest = rest[length:]
    found += "" if ends else "*"
    return re.sub(r"\*+", "*", found) or None


def _piece(rest: str) -> tuple[str, int] | None:
    """The glob of what an expression begins with, and its length."""
    if rest.startswith((".*", ".+")):
        return ("*" if rest[1] == "*" else "?*"), 2
    number = _NUMBER.match(rest)
    if number:
        return ("*" if number[1] == "*" else "[0-9]*" if number[1] else "[0-9]"), number.end()
    if rest[0] == "\\" and len(rest) > 1 and not rest[1].isalnum():
        return (rest[1] if rest[1] not in "*?[" else f"[{rest[1]}]"), 2
    found = _CLASS.match(rest) or _SIMPLE.match(rest)
    if found is None:
        return ("?", 1) if rest[0] == "." and rest[1:2] not in set("?{") else None
    # A sign that repeats belongs to the last character: it cannot be said.
    if rest[found.end() : found.end() + 1] in {"+", "*", "?", "{"}:
        return None if found.end() == 1 or rest[0] == "[" else (found[0][:-1], found.end() - 1)
    return found[0], found.end()
