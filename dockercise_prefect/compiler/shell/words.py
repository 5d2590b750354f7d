"""What the shell makes of a word, where that is known before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.shell.syntax import Assignment, Expansion, Text, Word

_PATTERN = frozenset("*?[{")
"""What makes a bare word more than its text; the last one only in shells that know braces."""


@dataclass(frozen=True, slots=True)
class Known:
    """One word of a command.

    Attributes:
        text: what it is after quotes and backslashes are taken away; None where only a run knows: variables, substitutions,
            patterns, `~`.
        is_variable: whether it is one variable and nothing else, so that it may be anything.
        start: where it begins, in characters from the script's start.
    """

    text: str | None
    is_variable: bool
    start: int


def known(word: Word | Assignment) -> Known:
    """What is known of a word. The text of an assignment, such as an argument of `export`, is not needed and left unknown."""
    if isinstance(word, Assignment):
        return Known(None, is_variable=False, start=word.start)
    parts = [part for part in word.parts if not isinstance(part, Text) or part.text]
    is_variable = len(parts) == 1 and isinstance(parts[0], Expansion)
    texts = [part for part in parts if isinstance(part, Text)]
    return Known("".join(text.text for text in texts) if _is_plain(texts) and texts == parts else None, is_variable, word.start)


def _is_plain(texts: Sequence[Text]) -> bool:
    """Whether the shell leaves the texts as they are. A bracket alone is the command of that name."""
    bare = [text.text for text in texts if not text.quoted]
    begins_at_home = bool(texts) and not texts[0].quoted and texts[0].text.startswith("~")
    return bare == ["["] or not (begins_at_home or any(not _PATTERN.isdisjoint(text) for text in bare))
