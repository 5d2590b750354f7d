"""Writes calls and lists in Python as a formatter would leave them."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 88
"""The most columns of a list on one line. It is the default of formatters, so that they do not break the list again."""


def call(function: str, arguments: Sequence[str], *, before: str) -> str:
    """A call on one line if it fits, else with one argument on each line."""
    line = f"{function}({', '.join(arguments)})"
    if "\n" not in line and 4 + len(before) + len(line) + len(",") <= WIDTH:
        return line
    return f"{function}(\n" + "".join(f"        {argument},\n" for argument in arguments) + "    )"


def bracketed(items: Sequence[str], *, indent: int, before: str) -> str:
    """A list on one line if it fits, else with one item on each line."""
    line = f"[{', '.join(items)}]"
    if indent + len(before) + len(line) + len(",") <= WIDTH:
        return line
    blanks = " " * indent
    return "[\n" + "".join(f"{blanks}    {item},\n" for item in items) + f"{blanks}]"
