"""Comments that switch rules off for their line: `# dockercise: ignore DK104, DK106`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.compiler.reading.switches import LINT_RULES, not_a_rule
from dockercise_prefect.errors import Diagnostic, Place
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code

_COMMENT = re.compile(r"(?:^|(?<=\s))#[ \t]*dockercise:[ \t]*ignore\b([^#]*)")
_WORD = re.compile(r"[^\s,]+")


REFERENCES = "references"
"""The word in a comment that switches off inferred edges from the script on its line (see `compiler.references`)."""


class _Ignored(NamedTuple):
    """One word of such a comment; None if the comment has no words."""

    place: Place
    word: str | None


def is_ignored(finding: Diagnostic, subject: Subject) -> bool:
    """Whether a comment on the finding's line switches its rule off."""
    if finding.place is None:
        return False
    line = subject.lines.get(finding.place.path, [])[finding.place.line - 1 : finding.place.line]
    return any(ignored.word == finding.code for text in line for ignored in _in_line(text, finding.place.path, 1))


def ignores_nothing(subject: Subject) -> Iterator[Diagnostic]:
    """DK100: a comment ignores something that is not a lint rule."""
    for path, lines in subject.lines.items():
        for number, line in enumerate(lines, start=1):
            for place, word in _in_line(line, path, number):
                if word is None:
                    hint = "name the rules: `# dockercise: ignore DK104`"
                    why = "it does not name a lint rule"
                    yield warning(Code.IGNORES_NOTHING, f"this comment ignores nothing: {why}", place, hint=hint)
                elif word not in LINT_RULES and word != REFERENCES:
                    why, hint = not_a_rule(word)
                    yield warning(Code.IGNORES_NOTHING, f"this comment ignores nothing: {why}", place, hint=hint)


def _in_line(line: str, path: str, number: int) -> Iterator[_Ignored]:
    if "dockercise:" not in line:
        return
    for comment in _COMMENT.finditer(line):
        words = list(_WORD.finditer(comment[1]))
        for word in words:
            yield _Ignored(Place(path, number, comment.start(1) + word.start() + 1), word[0])
        if not words:
            yield _Ignored(Place(path, number, comment.start() + 1), None)
