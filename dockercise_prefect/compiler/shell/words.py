"""Finds the value of a word, if it is known before the shell runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.shell.syntax import Assignment, Expansion, Text, Word

_PATTERN = frozenset("*?[{")
"""Characters that make a bare word a pattern; the last one only in shells with brace expansion."""


@dataclass(frozen=True, slots=True)
class Known:
    """One word of a command.

    Attributes:
        text: its text without quotes and backslashes; None if it is known only during a run: variables, substitutions,
            patterns, `~`.
        is_variable: whether it is a single variable, so that it may have any value.
        start: where it begins, in characters from the script's start.
    """

    text: str | None
    is_variable: bool
    start: int


def known(word: Word | Assignment) -> Known:
    """What is known of a word. The text of an assignment, such as an argument of `export`, is not needed and stays unknown."""
    if isinstance(word, Assignment):
        return Known(None, is_variable=False, start=word.start)
    parts = [part for part in word.parts if not isinstance(part, Text) or part.text]
    is_variable = len(parts) == 1 and isinstance(parts[0], Expansion)
    texts = [part for part in parts if isinstance(part, Text)]
    return Known("".join(text.text for text in texts) if _is_plain(texts) and texts == parts else None, is_variable, word.start)


def _is_plain(texts: Sequence[Text]) -> bool:
    """Whether the shell does not change the texts. A bracket alone is the command of that name."""
    bare = [text.text for text in texts if not text.quoted]
    begins_at_home = bool(texts) and not texts[0].quoted and texts[0].text.startswith("~")
    return bare == ["["] or not (begins_at_home or any(not _PATTERN.isdisjoint(text) for text in bare))
