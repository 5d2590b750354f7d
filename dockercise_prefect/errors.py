"""What can go wrong, where it was written and what to do next.

Two families are kept apart: the user's stage failed (`StageError`), and we failed (`EngineError`, `StorageError`). Places and
hints are fields, never parsed back out of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple


class ExitStatus(IntEnum):
    """The process's exit status, an interface that scripts rely on."""

    DONE = 0
    STAGE_FAILED = 1
    WRONG_INPUT = 2
    ENGINE_FAILED = 3
    NOTHING_TO_DO = 4
    INTERRUPTED = 130


class Place(NamedTuple):
    """A position in a source file: `path` relative to the root with `/`, `line` and `column` counted from 1.

    A tuple, because that is the quickest immutable value to make, and big pipelines have tens of thousands of them.
    """

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read back what `str()` gave; a path may itself hold colons.

        Raises:
            ValueError: the text does not end in `:line:column`.
        """
        path, line, column = text.rsplit(":", 2)
        return cls(path, int(line), int(column))


class Severity(StrEnum):
    """How bad a finding is: an error stops the compilation, a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that belongs to a finding: the first definition of a duplicate, an edge of a cycle."""

    message: str
    place: Place


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about the user's files.

    Attributes:
        code: stable, `DK` and three digits.
        message: one line, names the stage and the offending text.
        place: where; None when the finding is about no single place.
        hint: what to do next.
        related: further places, in reading order.
    """

    code: str
    message: str
    place: Place | None
    severity: Severity = Severity.ERROR
    hint: str | None = None
    related: tuple[Related, ...] = ()

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        warning = "warning: " if self.severity is Severity.WARNING else ""
        lines = [f"{where}{self.code} {warning}{self.message}"]
        lines += [f"  {related.place}: {related.message}" for related in self.related]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class DockerciseError(Exception):
    """Base of all errors that a user may see; never shown with a traceback.

    Args:
        message: what is wrong, with the name of what it is about.
        hint: what to do next.
    """

    exit_status = ExitStatus.WRONG_INPUT

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message + (f"\n  hint: {self.hint}" if self.hint else "")


class UsageError(DockerciseError):
    """A command was called with something that it cannot work with, say a root that is not a folder."""


class NothingToDoError(DockerciseError):
    """There is no pipeline, or none of it is to run."""

    exit_status = ExitStatus.NOTHING_TO_DO


class DefinitionError(DockerciseError):
    """The pipeline's definition is wrong: holds every finding, sorted by place; its text has the first `MAX_TOLD`."""

    MAX_TOLD = 50

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        told = [str(diagnostic) for diagnostic in self.diagnostics[: self.MAX_TOLD]]
        more = len(self.diagnostics) - len(told)
        super().__init__("\n".join([*told, *([f"and {more:,} more findings"] if more else [])]))


class PackagesMissingError(DefinitionError):
    """Nothing is known to be wrong with the definition, but parts of it could not be had: no engine, no such image."""

    exit_status = ExitStatus.ENGINE_FAILED


class StageError(DockerciseError):
    """The user's stage failed: its exit code, its timeout, out of memory."""

    exit_status = ExitStatus.STAGE_FAILED


class EngineError(DockerciseError):
    """We could not run a stage: no engine, image not found, disk full."""

    exit_status = ExitStatus.ENGINE_FAILED


class StorageError(DockerciseError):
    """Results could not be kept."""

    exit_status = ExitStatus.ENGINE_FAILED


class RepositoryError(DockerciseError):
    """A repository could not be read: its host does not answer, or does not let us."""

    exit_status = ExitStatus.ENGINE_FAILED


class CommitMissingError(RepositoryError):
    """A repository was read, and does not have the commit."""


class RepositoryRefusedError(RepositoryError):
    """Reading it again seldom helps: its host does not let us in, or what it holds cannot be written here."""


class OrchestratorError(DockerciseError):
    """Prefect could not be reached or did not do what it was asked."""

    exit_status = ExitStatus.ENGINE_FAILED


class WebhookError(DockerciseError):
    """A push could not be taken, judged or reported: a bad signature, an unknown repository, a host that does not answer."""


class HostError(DockerciseError):
    """A host of repositories (GitHub, Gitea, GitLab) did not do what it was asked; it may when it is asked again."""

    exit_status = ExitStatus.ENGINE_FAILED


class HostRefusedError(HostError):
    """It never will, asked like this: a wrong token, a missing right, no such repository."""

    exit_status = ExitStatus.WRONG_INPUT


def did_you_mean(word: str, known: Sequence[str]) -> str | None:
    """The known word that a user most probably meant by `word`, or None."""
    import difflib  # noqa: PLC0415  only wrong input pays for it

    exact = next((name for name in known if name.casefold() == word.casefold()), None)
    return exact or next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), None)
