"""What a script names: variables it uses, variables it sets itself, and texts that may hold paths (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockercise_prefect.compiler.shell.expansions import TooDeepError
from dockercise_prefect.compiler.shell.literals import Form, Literal, Reading
from dockercise_prefect.compiler.shell.naming import Ignored, Mentions, Use
from dockercise_prefect.compiler.shell.walk import Walk

LONGEST = 131_072
"""Characters of a script that is read by its grammar; a longer one is searched as a text."""

_PIECE = 65_536
"""Characters that are searched at once."""

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
    """What the text looks like naming, rather too much: no quotes, comments or assignments are told apart."""
    found = Mentions(understood=False, searched=True, ignored=Ignored(script))
    for start, piece in _pieces(script):
        for match in _USE.finditer(piece):
            if not found.is_ignored(start + match.start(2)):
                found.uses.setdefault(match[3], Use(match[2], start + match.start(2)))
        found.literals.append(Literal(piece, ((0, start),), Reading(Form.TEXT), folder))
    return found


def _pieces(script: str) -> Iterator[tuple[int, str]]:
    """The script in pieces that are cut where a line or a word ends, if one does: other threads go on between two of them."""
    start = 0
    while start < len(script):
        stop = start + _PIECE
        end = next((at + 1 for sign in "\n " if (at := script.rfind(sign, start, stop)) >= 0), stop)
        yield start, script[start:end]
        start = end
