"""Finds what a script names: variables that it uses or sets, and texts that may contain paths (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockercise_prefect.compiler.shell.expansions import TooDeepError
from dockercise_prefect.compiler.shell.literals import Form, Literal, Reading
from dockercise_prefect.compiler.shell.naming import Ignored, Mentions, Use
from dockercise_prefect.compiler.shell.walk import Walk

LONGEST = 131_072
"""The most characters of a script that is read by its grammar. A longer script is searched as a text."""

_PIECE = 65_536
"""The number of characters that are searched at once."""

_USE = re.compile(r"(?<!\\)((?:\\\\)*)(\$\{?[#!]?([A-Za-z_]\w*))", re.ASCII)


def mentions(script: str, folder: str | None = "/") -> Mentions:
    """Read a script.

    Args:
        script: its text.
        folder: its working directory at the start.
    """
    if len(script) <= LONGEST:
        try:
            return Walk(script, folder).mentions()
        except TooDeepError:
            pass
    return _by_text(script, folder)


def _by_text(script: str, folder: str | None) -> Mentions:
    """What the text seems to name, rather too much than too little: quotes, comments and assignments are not recognized."""
    found = Mentions(understood=False, searched=True, ignored=Ignored(script))
    for start, piece in _pieces(script):
        for match in _USE.finditer(piece):
            if not found.is_ignored(start + match.start(2)):
                found.uses.setdefault(match[3], Use(match[2], start + match.start(2)))
        found.literals.append(Literal(piece, ((0, start),), Reading(Form.TEXT), folder))
    return found


def _pieces(script: str) -> Iterator[tuple[int, str]]:
    """The script in pieces, cut at the end of a line or a word if possible. Other threads can run between two pieces."""
    start = 0
    while start < len(script):
        stop = start + _PIECE
        end = next((at + 1 for sign in "\n " if (at := script.rfind(sign, start, stop)) >= 0), stop)
        yield start, script[start:end]
        start = end
