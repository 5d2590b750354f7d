"""The rule about `triggers` that no changed file can match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from dockercise_prefect.compiler.lint.subject import Subject, scalars
from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code


def never_triggers(subject: Subject) -> Iterator[Diagnostic]:
    """DK110: a glob of `triggers` can match no file, or excludes although nothing is included before it."""
    for stage in subject.pipeline:
        written = subject.written(stage, "triggers")
        if written is None:
            continue
        for index, node in enumerate(scalars(written.node)):
            problem = _problem(node.text, is_first=index == 0)
            if problem is not None:
                why, hint = problem
                message = f"{written.owner}: the trigger `{node.text}` never matches: {why}"
                yield warning(Code.NEVER_TRIGGERS, message, node.place, hint=hint)


_WHY: Sequence[tuple[Callable[[str], object], str, str]] = (
    (re.compile(r"#").match, "git reads it as a comment", "write `\\#` for a name that begins with `#`"),
    (re.compile(r"!?\s").match, "it begins with a space, but file names do not", "remove the space, also after `!`"),
    (
        re.compile(r"(?:^!?|/)\.\.?(?:/|\Z)").search,
        "paths of changed files have no `.` or `..` in them",
        "begin at the root: `src/**`",
    ),
    (re.compile(r"\{[^{},/]*,[^{}]*\}").search, "git does not expand braces", "write a glob for each: `a/**`, `b/**`"),
    (re.compile(r"!?/\Z").match, "git ignores it", "write `*` for every file"),
)


def _problem(glob: str, *, is_first: bool) -> tuple[str, str] | None:
    """Why a glob can never match, and what to write instead; None if it can match."""
    if is_first and glob.startswith("!"):
        return "no glob before it includes anything", "write first what to include: `triggers: ['**', '!docs/**']`"
    return next(((why, hint) for finds, why, hint in _WHY if finds(glob)), None)
