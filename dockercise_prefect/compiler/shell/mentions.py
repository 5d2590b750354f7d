"""What a script names: variables it uses, variables it sets itself, and texts that may hold paths (LANGUAGE section 4)."""

from __future__ import annotations

import re

from dockercise_prefect.compiler.shell.expansions import TooDeepError
from dockercise_prefect.compiler.shell.literals import Form, Literal, Reading
from dockercise_prefect.compiler.shell.naming import Mentions, Use
from dockercise_prefect.compiler.shell.walk import Walk

LONGEST = 131_072
"""Characters of a script that is read by its grammar; a longer one is searched as a text."""

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
    found = Mentions(understood=False)
    for match in _USE.finditer(script):
        found.uses.setdefault(match[3], Use(match[2], match.start(2)))
    found.literals.append(Literal(script, ((0, 0),), Reading(Form.TEXT), folder))
    return found
