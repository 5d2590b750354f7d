"""Errors of the YAML reader, with better messages: what is wrong, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import yaml

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.nodes import Mark

_LINE_END = re.compile(r"\r\n|\r|\n")

_HINTS = (
    (
        "found a no-break space",
        "indent with plain spaces; text that is copied from an editor or a web page can contain no-break spaces",
    ),
    ("expected whitespace or line break", "a string that begins with `!` needs quotes: `'!*.md'`"),
    ("cannot start any token", "a string that begins like this needs quotes"),
    ("mapping values are not allowed", "a string that contains `: ` needs quotes; write each key on its own line"),
    ("expected node content", "something is missing here: a value, or the quotes around it"),
    ("did not find expected key", "is the line above indented differently, or a quote not closed?"),
    ("expected '-' indicator", "put all items of a list in the same column"),
    ("',' or ']'", "close the list with `]`"),
    ("',' or '}'", "close the mapping with `}`"),
    ("unexpected end of stream", "close the quote"),
    ("expected ':'", "end the key with `:`"),
    ("undefined alias", "give the value an anchor first: `&name`"),
    ("duplicate anchor", "give each anchor a different name"),
    ("expected alphabetic or numeric", "a string that begins with `*` or `&` needs quotes"),
    ("unknown escape character", r"in double quotes write `\\` for a backslash, or use single quotes"),
)

_VALUE = re.compile(r" *(?:- +)*(?:[^\s'\"#\[{:][^\s:]*: +)?(.?)")
"""A line up to the first character of the value that begins on it."""

_OPENS = {
    "[": "YAML reads `[` as the beginning of a list",
    "{": "YAML reads `{` as the beginning of a mapping",
    '"': "YAML reads the part in quotes as the whole string",
    "'": "YAML reads the part in quotes as the whole string",
    "|": "YAML reads `|` as the beginning of a block, with its text on the next lines",
    ">": "YAML reads `>` as the beginning of a block, with its text on the next lines",
}

_WRONG_BEHIND = ("expected alphabetic or numeric", "expected comment or line break", "expected key", "expected <block end>")
"""What the reader says if there is more text after a value that is complete for YAML."""

_BLOCK = re.compile(r"(?:[:-] +|^)[|>][-+0-9]*(?: +#.*)? *\Z")
"""The end of a line on which a block begins."""


class Problem(NamedTuple):
    """What is wrong, where, and what to do."""

    message: str
    place: Place
    hint: str | None


def problem_of(error: yaml.MarkedYAMLError, text: str, path: str) -> Problem:
    """The problem to report for a text that the reader refused."""
    lines = _LINE_END.split(text)
    place = _inside(error.problem_mark or error.context_mark, lines, path)
    line = lines[place.line - 1]
    if line[: place.column].strip(" ").startswith("\t"):
        return Problem("YAML cannot be indented with tabs", place, "use spaces")
    conflict = next((number for number, line in enumerate(lines, 1) if line.startswith(("<<<<<<< ", ">>>>>>> "))), None)
    if conflict is not None:
        return Problem("this is an unresolved merge conflict", Place(path, conflict, 1), "keep one side")
    first_of_two, two, _ = (error.context or "").partition("; first occurrence")
    problem = first_of_two if two else error.problem or "it cannot be read"
    opened = error.context_mark
    if "expected ':'" in problem and opened is not None and opened.column == 0:
        header = _block_above(lines, min(opened.line, len(lines) - 1))
        if header is not None:
            message = f"this line is not indented, so it ends the block that begins on line {header + 1}"
            hint = "indent every line of the block, those of a here-document too: the script gets them without the indentation"
            return Problem(message, Place(path, opened.line + 1, 1), hint)
    since = f" (in the part that began on line {opened.line + 1})" if opened and opened.line != place.line - 1 else ""
    advice = _behind_a_value(problem, line, place) or next((hint for words, hint in _HINTS if words in problem), None)
    return Problem(f"this is not YAML: {problem}{since}", place, advice)


def _behind_a_value(problem: str, line: str, place: Place) -> str | None:
    """The hint for a text whose beginning YAML reads as another value, which ends before the text does."""
    value = _VALUE.match(line)
    why = _OPENS.get(value[1]) if value else None
    if value is None or why is None or not any(words in problem for words in _WRONG_BEHIND):
        return None
    before = line[value.end() : place.column - 1]
    if value[1] in "[{" and ("]" if value[1] == "[" else "}") not in before:
        return None  # it is inside, and the reader's own words fit
    return f"{why}; quote the whole string, or write it as a block below `|`"


def _block_above(lines: Sequence[str], index: int) -> int | None:
    """The line where the block begins that ends above a line without indentation; None if no block ends there."""
    above = index - 1
    while above >= 0 and (not lines[above].strip() or (not lines[above].startswith(" ") and not _BLOCK.search(lines[above]))):
        above -= 1
    while above >= 0 and (lines[above].startswith(" ") or not lines[above].strip()):
        if _BLOCK.search(lines[above]):
            return above
        above -= 1
    return above if above >= 0 and _BLOCK.search(lines[above]) else None


def _inside(mark: Mark | None, lines: Sequence[str], path: str) -> Place:
    """The mark's place. If something is missing at the end of a file, the reader places it on a line below the last one."""
    if mark is None:
        return Place(path, 1, 1)
    if mark.line >= len(lines):
        return Place(path, len(lines), len(lines[-1]) + 1)
    return Place(path, mark.line + 1, min(mark.column, len(lines[mark.line])) + 1)
