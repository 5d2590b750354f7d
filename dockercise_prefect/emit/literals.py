"""Python literals that hold a text exactly and are as readable as possible."""

from __future__ import annotations

import re

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\r": r"\r", "\n": r"\n"}
_BLANK_AT_END = re.compile(r" (?=\n|\Z)")
_CLOSING = re.compile(r'"(?=""|\Z)')


def text_literal(text: str) -> str:
    """A literal for any text: several lines in triple quotes, unchanged from the script, and one line in double quotes."""
    if "\n" not in text.rstrip("\n") or not text.strip():
        return one_line(text)
    body = "\n".join(_escaped(line) for line in text.split("\n"))
    body = _BLANK_AT_END.sub(r"\\x20", body)  # editors remove blanks at the end of a line
    return '"""\\\n' + _CLOSING.sub(r'\\"', body) + '"""'


def one_line(text: str) -> str:
    """A literal on one line, with the kind of quotes that needs fewer escapes."""
    if text.count('"') > text.count("'"):
        return "'" + _escaped(text).replace("'", r"\'") + "'"
    return f'"{inside_quotes(text)}"'


def inside_quotes(text: str) -> str:
    """A text, escaped for use between double quotes."""
    return _escaped(text).replace('"', r"\"")


def _escaped(text: str) -> str:
    """The text with backslashes and invisible characters as escapes; quotes do not change."""
    return "".join(_ESCAPES.get(character) or _printable(character) for character in text)


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
