"""Reads the instructions of a Dockerfile, as far as we need them (Dockerfile reference: "Format", "Parser directives")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

BACKSLASH: Final = "\\"

_DIRECTIVE = re.compile(r"#\s*(?P<name>[a-z][a-z0-9]*)\s*=\s*(?P<value>.+?)\s*", re.IGNORECASE)

_HERE_DOCUMENT = re.compile(r"""\d*<<(?P<tabs>-?)(?P<quote>['"]?)(?P<end>[^<\s'"]+)(?P=quote)""")

_WITH_HERE_DOCUMENTS = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: in capitals.
        words: what follows the keyword, including options.
        first: the number of its first line, counted from 0.
        last: the number of its last line, without its here-documents. If the file ends before the instruction does, this is the
            number after the file's last line.
    """

    keyword: str
    words: tuple[str, ...]
    first: int
    last: int

    @property
    def here_documents(self) -> list[tuple[str, bool]]:
        """The word that ends each here-document, and whether tabs may come before it. Only BuildKit supports here-documents."""
        if self.keyword not in _WITH_HERE_DOCUMENTS:
            return []
        found = (_HERE_DOCUMENT.fullmatch(word) for word in self.words)
        return [(match["end"], match["tabs"] == "-") for match in found if match]


def lines_of(dockerfile: bytes) -> list[str]:
    """The lines of a Dockerfile. All bytes are kept, also those that are not UTF-8."""
    return dockerfile.decode("utf-8", "surrogateescape").split("\n")


def instructions(lines: Sequence[str]) -> Iterator[Instruction]:
    """All instructions, in order.

    The escape character at the end of a line continues it. Comments and empty lines in between do not end it. The text in a
    here-document is never an instruction, even if it looks like one.
    """
    continued = re.compile(rf"{re.escape(escape_character(lines))}[ \t]*$")
    words: list[str] = []
    first, resume = 0, 0
    for number, line in enumerate(lines):
        text = line.rstrip("\r")
        if number < resume or not text.strip() or text.lstrip().startswith("#"):
            continue
        first = first if words else number
        words += continued.sub("", text).removeprefix("\ufeff").split()
        if not continued.search(text) and words:
            instruction = _instruction(words, first, number)
            yield instruction
            words, resume = [], _behind(lines, number + 1, instruction.here_documents)
    if words:
        yield _instruction(words, first, len(lines))


def directives(lines: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """The parser directives at the top of the file: name in lower case, value, and number of the line, counted from 0."""
    for number, line in enumerate(lines):
        directive = _DIRECTIVE.fullmatch((line.removeprefix("\ufeff") if number == 0 else line).strip())
        if directive is None:
            return
        yield directive["name"].lower(), directive["value"], number


def escape_character(lines: Sequence[str]) -> str:
    """The escape character that a directive sets, else a backslash."""
    return next((value for name, value, _ in directives(lines) if name == "escape" and value in {BACKSLASH, "`"}), BACKSLASH)


def _instruction(words: Sequence[str], first: int, last: int) -> Instruction:
    return Instruction(words[0].upper(), tuple(words[1:]), first, last)


def _behind(lines: Sequence[str], start: int, here_documents: Sequence[tuple[str, bool]]) -> int:
    """The number of the first line after these here-documents. One that never ends does not count as a here-document."""
    number = start
    for end, tabs in here_documents:
        bodies = enumerate((line.rstrip("\r") for line in lines[number:]), number)
        found = next((at for at, line in bodies if (line.lstrip("\t") if tabs else line) == end), None)
        if found is None:
            return number
        number = found + 1
    return number
