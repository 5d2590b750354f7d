"""Reads redirections of a shell script, and the here-documents that belong to them."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.shell.expansions import ExpansionReader
from dockercise_prefect.compiler.shell.syntax import (
    HERE_DOCUMENT,
    INDENTED_END,
    HereDocument,
    Redirection,
    Text,
    Word,
)

_DIGITS = 9
"""The most digits of a file descriptor's number. No shell opens a longer one, and very long numbers are slow to read."""

BLANKS = re.compile(r"(?:[ \t\r]|\\\n)*")
_REDIRECTION = re.compile(r"(?:(\d*)|\{([A-Za-z_]\w*)\})(&>>|&>|<<<|<<-|<<|<&|<>|<|>&|>>|>\||>)", re.ASCII)


@dataclass(slots=True)
class Pending:
    """A here-document whose lines come after the end of this line."""

    redirection: Redirection
    start: int
    end: str
    quoted: bool
    tabs: bool


class RedirectionReader(ExpansionReader, ABC):
    """Reads redirections. The lines of a here-document come after the end of the line that begins it."""

    def __init__(self, script: str, positions: Sequence[int] | None, depth: int) -> None:
        super().__init__(script, positions, depth)
        self.pending: list[Pending] = []

    def redirections(self) -> list[Redirection]:
        """The redirections after a compound command."""
        found: list[Redirection] = []
        while True:
            blanks = BLANKS.match(self.script, self.at, self.end)
            self.at = blanks.end() if blanks else self.at
            if not self.redirection(found):
                return found

    def redirection(self, found: list[Redirection]) -> bool:
        """Read the redirection that begins here, if one does."""
        match = _REDIRECTION.match(self.script, self.at, self.end)
        if match is None or (match[0] in {"<", ">"} and self.script.startswith("(", match.end())):
            return False  # `<(…)` is a word
        operator = match[3]
        descriptor = int(match[1]) if match[1] and len(match[1]) <= _DIGITS else None
        self.at = match.end()
        blanks = BLANKS.match(self.script, self.at, self.end)
        self.at = blanks.end() if blanks else self.at
        if operator in {"<<", "<<-"}:
            end, quoted = self.delimiter()
            redirection = Redirection(operator, Word([], self.place(self.at)), descriptor)
            self.pending.append(Pending(redirection, match.start(3), end, quoted, operator == "<<-"))
        else:
            target = self.word()
            if target is None:
                self.understood = False
            redirection = Redirection(operator, target or Word([], self.place(self.at)), descriptor, match[2])
        found.append(redirection)
        return True

    def here_documents(self) -> None:
        """Read the here-documents of the line that just ended."""
        pending, self.pending = self.pending, []
        for each in pending:
            begin = self.at
            stop = self._end_of(each)
            after, self.at = self.at, begin
            if each.quoted:
                body = Word([Text(self.script[begin:stop], self.place(begin), quoted=True)], self.place(begin))
            else:
                body = self.document(begin, stop)
            self.at = after
            each.redirection.document = HereDocument(body, each.quoted)

    def _end_of(self, pending: Pending) -> int:
        """Where the lines of a here-document end. Reading continues after the line that ends it."""
        indented = False
        while self.at < self.end:
            begin = self.at
            newline = self.script.find("\n", begin, self.end)
            line_end = self.end if newline < 0 else newline
            line = self.script[begin:line_end].removesuffix("\r")
            if (line.lstrip("\t") if pending.tabs else line) == pending.end:
                self.at = line_end + 1 if newline >= 0 else self.end
                return begin
            indented = indented or line.strip() == pending.end
            self.at = line_end + 1 if newline >= 0 else self.end
        if pending.end or self.at == self.end == 0:
            self.leave_open(INDENTED_END if indented else HERE_DOCUMENT, pending.start)
        return self.end
