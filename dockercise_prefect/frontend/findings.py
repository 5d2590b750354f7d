"""Collects findings while a pipeline is read and compiled, so that all of them are reported and not only the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dockercise_prefect.errors import Diagnostic, Place, Related, Severity
from dockercise_prefect.pipeline import Code

MANY = 1_000
"""The number of findings after which similar words are no longer searched for hints."""


class Findings:
    """Collects findings. The same finding at the same place is kept once."""

    def __init__(self) -> None:
        self._all: dict[Diagnostic, None] = {}

    def error(
        self, code: Code, message: str, place: Place | None, *, hint: str | None = None, related: Sequence[Related] = ()
    ) -> None:
        """Add a finding that makes the compilation fail at its end."""
        self._all[Diagnostic(code, printable(message), place, hint=hint and printable(hint), related=tuple(related))] = None

    def warn(self, code: Code, message: str, place: Place | None, *, hint: str | None = None) -> None:
        """Add a finding that is shown but stops nothing."""
        self._all[warning(code, message, place, hint=hint)] = None

    def replace(self, change: Callable[[Iterable[Diagnostic]], Iterable[Diagnostic]]) -> None:
        """Replace all findings by what `change` makes of them."""
        self._all = dict.fromkeys(change(self._all))

    @property
    def are_many(self) -> bool:
        """Whether there are more findings than anyone reads, so that expensive hints are not worth their time."""
        return len(self._all) > MANY

    @property
    def failed(self) -> bool:
        """Whether one of the findings is an error."""
        return any(finding.severity is Severity.ERROR for finding in self._all)

    def in_order(self) -> tuple[Diagnostic, ...]:
        """All findings, ordered by place."""
        return in_order(self._all)


def warning(
    code: Code, message: str, place: Place | None, *, hint: str | None = None, related: Sequence[Related] = ()
) -> Diagnostic:
    """A finding that is shown but stops nothing."""
    return Diagnostic(code, printable(message), place, Severity.WARNING, hint and printable(hint), tuple(related))


def in_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings, ordered by file, line and column. Those without a place come first."""
    return tuple(sorted(found, key=_position))


def printable(text: str) -> str:
    """The text on one line, with control characters for a terminal written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii") for character in text
    )


def _position(finding: Diagnostic) -> tuple[str, int, int, str, str]:
    place = finding.place or Place("", 0, 0)
    return (place.path, place.line, place.column, finding.code, finding.message)
