"""Where findings gather while a pipeline is read and compiled: all of them are reported, not the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dockercise_prefect.errors import Diagnostic, Place, Related, Severity
from dockercise_prefect.pipeline import Code

MANY = 1_000
"""Findings after which no more close words are looked for."""


class Findings:
    """Collects; says the same thing about the same place once."""

    def __init__(self) -> None:
        self._all: dict[Diagnostic, None] = {}

    def error(
        self, code: Code, message: str, place: Place | None, *, hint: str | None = None, related: Sequence[Related] = ()
    ) -> None:
        """Something that stops the compilation, at its end."""
        self._all[Diagnostic(code, printable(message), place, hint=hint and printable(hint), related=tuple(related))] = None

    def warn(self, code: Code, message: str, place: Place | None, *, hint: str | None = None) -> None:
        """Something to show that stops nothing."""
        self._all[warning(code, message, place, hint=hint)] = None

    @property
    def are_many(self) -> bool:
        """Whether there are more than anyone reads, so that what a hint costs is better saved."""
        return len(self._all) > MANY

    @property
    def failed(self) -> bool:
        """Whether there is an error among them."""
        return any(finding.severity is Severity.ERROR for finding in self._all)

    def in_order(self) -> tuple[Diagnostic, ...]:
        """All of them, by place."""
        return in_order(self._all)


def warning(
    code: Code, message: str, place: Place | None, *, hint: str | None = None, related: Sequence[Related] = ()
) -> Diagnostic:
    """A finding to show that stops nothing."""
    return Diagnostic(code, printable(message), place, Severity.WARNING, hint and printable(hint), tuple(related))


def in_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings by file, line and column; those about no single place come first."""
    return tuple(sorted(found, key=_position))


def printable(text: str) -> str:
    """The text on one line, with what a terminal would act on as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii") for character in text
    )


def _position(finding: Diagnostic) -> tuple[str, int, int, str, str]:
    place = finding.place or Place("", 0, 0)
    return (place.path, place.line, place.column, finding.code, finding.message)
