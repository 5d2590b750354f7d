"""Finds the place of a part of a scalar in its file, for example of a word in a script."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from dockercise_prefect.errors import Place

_LINE_END = re.compile(r"\r\n|\r|\n")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_BLOCK_HEADER = re.compile(r"[|>][^\r\n]*(?:\r\n|\r|\n|\Z)")
_WORD = re.compile(r"[^\s'\"\\]+")
"""Text that quotes and escapes do not change."""

_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), "'": re.compile(r"'(?:[^']|'')*'")}


class Positions:
    """Finds pieces of scalars in the text that they were read from.

    YAML says only where a scalar begins, and a script in it may be indented, folded or quoted. But the words of a script are in
    the same order in the file. So the second `$A` of the script is the second one after the beginning of the scalar.

    Args:
        texts: the texts of files, by the path in their places.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[int]] = {}

    def of(self, piece: str, nth: int, scalar: Place) -> Place:
        """The place of the `nth` occurrence (from 0) of `piece` in a scalar, or the scalar's if it is written differently.

        Args:
            piece: a text without white space.
            nth: the number of earlier occurrences in the scalar's value.
            scalar: the place where the scalar begins.
        """
        text = self._texts.get(scalar.path)
        if text is None:
            return scalar
        begin, end = self._region(text, scalar)
        for number, index in enumerate(occurrences(piece, text, begin, end)):
            if number == nth:
                return self._place(scalar.path, index)
        return scalar

    def within(self, text: str, index: int, scalar: Place) -> Place:
        """The place of a character of a scalar, or the scalar's own place if it is written differently.

        Args:
            text: the scalar's value.
            index: index of the character.
            scalar: the place where the scalar begins.
        """
        word = _WORD.match(text, index)
        piece = word[0] if word else text[index : index + 1]
        before = sum(1 for start in occurrences(piece, text, 0, index + len(piece)) if start < index) if piece else 0
        return self.of(piece, before, scalar)

    def _region(self, text: str, scalar: Place) -> tuple[int, int]:
        """The begin and the end of the content. If the scalar is not in quotes, the end is that of the file."""
        start = self._starts(scalar.path)[scalar.line - 1] + scalar.column - 1
        properties = _PROPERTIES.match(text, start)
        start = properties.end() if properties else start
        header = _BLOCK_HEADER.match(text, start)
        quoted = _QUOTED[text[start]].match(text, start) if text[start : start + 1] in _QUOTED else None
        return header.end() if header else start, quoted.end() if quoted else len(text)

    def _starts(self, path: str) -> list[int]:
        if path not in self._lines:
            self._lines[path] = [0, *(match.end() for match in _LINE_END.finditer(self._texts[path]))]
        return self._lines[path]

    def _place(self, path: str, index: int) -> Place:
        starts = self._starts(path)
        line = bisect_right(starts, index)
        return Place(path, line, index - starts[line - 1] + 1)


def occurrences(piece: str, text: str, begin: int = 0, end: int | None = None) -> Iterator[int]:
    """The indexes of `piece` in `text`, including overlapping ones."""
    index = text.find(piece, begin, end) if piece else -1
    while index >= 0:
        yield index
        index = text.find(piece, index + 1, end)
