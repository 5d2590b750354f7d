"""Texts in a script that may contain paths: words without quotes, with a hole for each part that is known only during a run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from dockercise_prefect.compiler.shell.syntax import Assignment, Text, Word

HOLE = "\0"
"""Stands for an expansion; no script contains this character."""


class Form(Enum):
    """How a text contains paths."""

    WORD = auto()
    """A path, or an option, a list or an address that contains one."""

    TEXT = auto()
    """A text that something on this machine reads. Paths below a folder count, and whole paths in the text's own quotes."""

    PROGRAM = auto()
    """A program, in which `/a/` may be a pattern. Only paths in the program's own quotes count."""

    ASIDE = auto()
    """Words that are printed or stored. They may mention paths, but do not use them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to search a text for paths.

    Attributes:
        sure: whether a path in it is certainly a file of this container.
        relative: whether it may contain relative paths.
        names: whether a word without a slash is a path too: `cd build`.
        remote: whether `name:/path` is a path elsewhere.
    """

    form: Form = Form.WORD
    sure: bool = False
    relative: bool = True
    names: bool = False
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A text.

    Attributes:
        pieces: index in the text and position in the script of each of its pieces.
        reading: how to search it for paths.
        folder: the working directory at that place; None if it is not known.
    """

    text: str
    pieces: tuple[tuple[int, int], ...]
    reading: Reading = Reading()
    folder: str | None = None

    def position(self, index: int) -> int:
        """The position in the script of a character of the text."""
        begin, start = self.pieces[max(0, bisect_right(self.pieces, (index, 1 << 62)) - 1)]
        return start + index - begin

    def positions(self) -> list[int]:
        """The positions in the script of all its characters."""
        return [self.position(index) for index in range(len(self.text))]


def literal(word: Word | Assignment) -> Literal:
    """The text of a word."""
    if isinstance(word, Assignment):
        operator = "+=" if word.appends else "="
        return _joined([(f"{word.name}{operator}", word.start)], word.values)
    return _joined([], [word])


def _joined(begin: list[tuple[str, int]], words: Iterable[Word]) -> Literal:
    texts = [text for text, _ in begin]
    pieces = [(0, start) for _, start in begin]
    length = sum(map(len, texts))
    for number, word in enumerate(words):
        if number:
            texts.append(" ")
            length += 1
        for part in word.parts:
            text = part.text if isinstance(part, Text) else HOLE
            if text:
                pieces.append((length, part.start))
                texts.append(text)
                length += len(text)
    return Literal("".join(texts), tuple(pieces) or ((0, 0),))
