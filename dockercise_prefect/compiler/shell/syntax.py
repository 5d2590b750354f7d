"""The parts of a shell script, as returned by `script.read`. Positions count characters from the script's beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

HERE_DOCUMENT = "<<"
INDENTED_END = "  END"
"""Parts that a script may leave open, besides those that a sign or a word closes.

In the second, the here-document's last line exists but is indented.
"""


@dataclass(frozen=True, slots=True)
class Unclosed:
    """A part of a script that is open at its end.

    Attributes:
        close: the sign or word that would close it, `HERE_DOCUMENT` or `INDENTED_END`.
        start: where it begins.
    """

    close: str
    start: int


@dataclass(slots=True)
class Text:
    """Characters that are not expanded, without the quotes and backslashes around them.

    Attributes:
        start: position of the first one; the others follow it.
        quoted: whether quotes or a backslash protect them.
    """

    text: str
    start: int
    quoted: bool


@dataclass(slots=True)
class Expansion:
    """`$A`, `${A}`, `${A:-word}`.

    Attributes:
        name: the variable; digits and signs for the shell's own (`$1`, `$?`).
        written: its beginning as written: `$A`, `${A`, `${#A`.
        operator: the operator after the name (`:-`, `%%`), or an empty text.
        word: the word after the operator.
        subscript: the text in brackets after the name.
    """

    name: str
    written: str
    start: int
    operator: str = ""
    word: Word | None = None
    subscript: Word | None = None


@dataclass(slots=True)
class Substitution:
    """`$(…)`, backquotes, `<(…)` and `>(…)`.

    Attributes:
        reads: whether it reads what is written to it, as `>(…)` does. The output of all others is read.
    """

    body: list[Statement]
    start: int
    reads: bool = False


@dataclass(slots=True)
class Arithmetic:
    """`$((…))`: the expression is a word, in which names are variables."""

    expression: Word
    start: int


Part: TypeAlias = Text | Expansion | Substitution | Arithmetic


@dataclass(slots=True)
class Word:
    """Parts without a blank between them; also the text of a here-document or of an arithmetic expression."""

    parts: list[Part]
    start: int

    @property
    def bare(self) -> str:
        """Its text if it has neither quotes nor expansions, else an empty text."""
        part = self.parts[0] if len(self.parts) == 1 else None
        return part.text if isinstance(part, Text) and not part.quoted else ""


@dataclass(slots=True)
class Assignment:
    """`A=word`, `A+=word`, `A[1]=word`, `A=(word …)`."""

    name: str
    start: int
    appends: bool
    values: list[Word]
    subscript: Word | None = None


@dataclass(slots=True)
class HereDocument:
    """The lines between `<<END` and `END`. If `END` is quoted, they are one text without expansions."""

    body: Word
    quoted: bool


@dataclass(slots=True)
class Redirection:
    """`>word`, `2>&1`, `{A}<word`, `<<END`.

    Attributes:
        descriptor: the number before it.
        variable: the name in braces before it.
        document: the here-document of `<<` and `<<-`; `<<<` has a target.
    """

    operator: str
    target: Word
    descriptor: int | None = None
    variable: str | None = None
    document: HereDocument | None = None


@dataclass(slots=True)
class Command:
    """A simple command."""

    assignments: list[Assignment]
    words: list[Word | Assignment]
    redirections: list[Redirection]


@dataclass(slots=True)
class Group:
    """A compound command: the statements in it, and its own words.

    Attributes:
        own_process: whether it cannot change the state for later commands: `( … )`, or a background process.
        words: the words of a `for`, or the word of a `case`.
        loops_over: the variable of a `for` or `select`.
        patterns: the patterns of a `case`.
    """

    body: list[Statement]
    redirections: list[Redirection]
    own_process: bool = False
    words: list[Word] | None = None
    loops_over: str | None = None
    patterns: list[Word] | None = None


@dataclass(slots=True)
class Pipeline:
    """Commands of which each reads the output of the one before, in its own process. `a |& b` is `a 2>&1 | b`."""

    members: list[Statement]


@dataclass(slots=True)
class Calculation:
    """`((…))`, and the head of `for ((…))`."""

    expression: Word


@dataclass(slots=True)
class Condition:
    """`[[ … ]]`: its words. Those after `==`, `!=` and `=~` are patterns."""

    words: list[Word]


@dataclass(slots=True)
class Function:
    """The definition of a function."""

    name: str
    body: list[Statement]


Statement: TypeAlias = Command | Group | Pipeline | Calculation | Condition | Function
