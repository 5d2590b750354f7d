"""Texts in a script that may hold paths: words without their quotes, with a hole where only a run knows what stands there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from dockercise_prefect.compiler.shell.syntax import Assignment, Text, Word

HOLE = "\0"
"""Stands for an expansion; no script holds this character."""


class Form(Enum):
    """How paths stand in a text."""

    WORD = auto()
    """It is a path, or an option, a list or an address with one."""

    TEXT = auto()
    """A text that something on this machine reads: paths below a folder count, and whole ones in quotes of its own."""

    PROGRAM = auto()
    """A program, in which `/a/` may be a pattern: only what stands in quotes of its own counts."""

    ASIDE = auto()
    """Words that are printed or kept: they may speak of paths, and use none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is to be read for paths.

    Attributes:
        sure: whether a path in it surely is a file of this container.
        relative: whether it may hold relative paths.
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
        reading: how paths stand in it.
        folder: the working directory where it stands, None where that is not known.
    """

    text: str
    pieces: tuple[tuple[int, int], ...]
    reading: Reading = Reading()
    folder: str | None = None

    def position(self, index: int) -> int:
        """Where a character of the text stands in the script."""
        begin, start = self.pieces[max(0, bisect_right(self.pieces, (index, 1 << 62)) - 1)]
        return start + index - begin

    def positions(self) -> list[int]:
        """The same of all its characters."""
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
