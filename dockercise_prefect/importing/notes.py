"""What an import did with each part of a file: kept it, changed it or left it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.frontend.nodes import Node
from dockercise_prefect.importing.literals import without_secrets

LONGEST = 200
"""The most characters of a text of the file that a note repeats."""


class Outcome(StrEnum):
    """What became of a part of the file."""

    KEPT = "kept"
    CHANGED = "changed"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the table.

    Attributes:
        outcome: what became of the part.
        what: the part: `build: image`.
        text: what was done, or what to do now. It never contains a secret.
        place: where the part is written.
        job: the job that it belongs to; None for the whole file.
    """

    outcome: Outcome
    what: str
    text: str
    place: Place
    job: str | None = None


@dataclass(slots=True)
class Notes:
    """Collects the notes of one import, each once; every job has its own view of the same collection."""

    all: dict[Note, None] = field(default_factory=dict)
    job: str | None = None

    def of_job(self, name: str) -> Notes:
        """The same collection, for what belongs to one job."""
        return Notes(self.all, name)

    def kept(self, what: str, text: str, at: Node | Place) -> None:
        """Say that a part means the same as before."""
        self._add(Outcome.KEPT, what, text, at if isinstance(at, Place) else at.place)

    def changed(self, what: str, text: str, at: Node | Place) -> None:
        """Say that a part means something else than before, or is a guess."""
        self._add(Outcome.CHANGED, what, text, at if isinstance(at, Place) else at.place)

    def left_out(self, what: str, text: str, at: Node | Place) -> None:
        """Say that a part is not in the result, and what to write instead."""
        self._add(Outcome.LEFT_OUT, what, text, at if isinstance(at, Place) else at.place)

    def _add(self, outcome: Outcome, what: str, text: str, place: Place) -> None:
        self.all[Note(outcome, _shown(what), _shown(text), place, self.job)] = None


def quoted(text: str) -> str:
    """A text of the file in a note: on one line, and not too long."""
    line = " ".join(text.split())
    return f"`{line[:LONGEST]}…`" if len(line) > LONGEST else f"`{line}`"


def _shown(text: str) -> str:
    return printable(without_secrets(text))
