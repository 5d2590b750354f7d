"""The parts of a shell script, as `script.read` finds them. Every position counts characters from the script's beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

HERE_DOCUMENT = "<<"
INDENTED_END = "  END"
"""What a script may leave open beside what a sign or a word closes; in the second the last line is there, but indented."""


@dataclass(frozen=True, slots=True)
class Unclosed:
    """What a script leaves open at its end.

    Attributes:
        close: the sign or word that would close it, `HERE_DOCUMENT` or `INDENTED_END`.
        start: where it begins.
    """

    close: str
    start: int


@dataclass(slots=True)
class Text:
    """Characters that stand for themselves, without the quotes and backslashes around them.

    Attributes:
        start: where the first one is written; the others follow it.
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
        written: its beginning as it is written: `$A`, `${A`, `${#A`.
        operator: what follows the name (`:-`, `%%`), or an empty text.
        word: what follows the operator.
        subscript: what stands in brackets behind the name.
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
        reads: whether it reads what is written to it, `>(…)`; all others are read from.
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
    """Parts that stand together; also the text of a here-document, or of an arithmetic expression."""

    parts: list[Part]
    start: int

    @property
    def bare(self) -> str:
        """Its text when it has neither quotes nor expansions, else an empty text."""
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
    """The lines between `<<END` and `END`; where `END` is quoted they are one text without expansions."""

    body: Word
    quoted: bool


@dataclass(slots=True)
class Redirection:
    """`>word`, `2>&1`, `{A}<word`, `<<END`.

    Attributes:
        descriptor: the number before it.
        variable: the name in braces before it.
        document: of `<<` and `<<-`; `<<<` has a target.
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
    """A compound command: the statements in it, and the words that it has beside them.

    Attributes:
        own_process: whether it changes nothing for what follows: `( … )`, or what runs in the background.
        words: of a `for`, or what a `case` looks at.
        loops_over: the variable of a `for` or `select`.
        patterns: of a `case`.
    """

    body: list[Statement]
    redirections: list[Redirection]
    own_process: bool = False
    words: list[Word] | None = None
    loops_over: str | None = None
    patterns: list[Word] | None = None


@dataclass(slots=True)
class Pipeline:
    """Commands that each read what the one before prints; each in a process of its own. `a |& b` is `a 2>&1 | b`."""

    members: list[Statement]


@dataclass(slots=True)
class Calculation:
    """`((…))`, and the head of `for ((…))`."""

    expression: Word


@dataclass(slots=True)
class Condition:
    """`[[ … ]]`: its words; those behind `==`, `!=` and `=~` are patterns."""

    words: list[Word]


@dataclass(slots=True)
class Function:
    """The definition of a function."""

    name: str
    body: list[Statement]


Statement: TypeAlias = Command | Group | Pipeline | Calculation | Condition | Function
