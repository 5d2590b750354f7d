"""The errors: what went wrong, where in the source, and what to do next.

There are two families: the user's stage failed (`StageError`), or dockercise itself failed (`EngineError`, `StorageError`).
Places and hints are fields and are never parsed out of text.
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

    It is a tuple because a tuple is the fastest immutable value to create, and big pipelines have tens of thousands of places.
    """

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Parse the result of `str()`. The path may contain colons.

        Raises:
            ValueError: the text does not end in `:line:column`.
        """
        path, line, column = text.rsplit(":", 2)
        return cls(path, int(line), int(column))


class Severity(StrEnum):
    """The severity of a finding. An error stops the compilation, a warning is only shown."""

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
        code: a stable code, `DK` and three digits.
        message: one line that names the stage and the wrong text.
        place: the position; None if the finding has no single position.
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
    """The base of all errors that a user may see. They are never shown with a traceback.

    Args:
        message: what is wrong, including the name of the object.
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
    """A command was called with a wrong value, for example a root that is not a folder."""


class NothingToDoError(DockerciseError):
    """There is no pipeline, or none of its stages should run."""

    exit_status = ExitStatus.NOTHING_TO_DO


class DefinitionError(DockerciseError):
    """The definition of the pipeline is wrong. Has all findings, sorted by place; the text shows the first `MAX_TOLD`."""

    MAX_TOLD = 50

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        told = [str(diagnostic) for diagnostic in self.diagnostics[: self.MAX_TOLD]]
        more = len(self.diagnostics) - len(told)
        super().__init__("\n".join([*told, *([f"and {more:,} more findings"] if more else [])]))


class PackagesMissingError(DefinitionError):
    """Parts of the definition could not be loaded (no engine, no such image). No other problem is known."""

    exit_status = ExitStatus.ENGINE_FAILED


class StageError(DockerciseError):
    """The user's stage failed: its exit code, a timeout, or not enough memory."""

    exit_status = ExitStatus.STAGE_FAILED


class EngineError(DockerciseError):
    """Dockercise could not run a stage: no engine, image not found, disk full."""

    exit_status = ExitStatus.ENGINE_FAILED


class StorageError(DockerciseError):
    """Results could not be stored."""

    exit_status = ExitStatus.ENGINE_FAILED


class DamagedError(StorageError):
    """What was stored is damaged, and was thrown away. Whoever reads it again gets another copy, or another error."""


class RepositoryError(DockerciseError):
    """A repository could not be read: its host does not answer or refuses access."""

    exit_status = ExitStatus.ENGINE_FAILED


class CommitMissingError(RepositoryError):
    """The repository was read, but it does not contain the commit."""


class RepositoryRefusedError(RepositoryError):
    """The host refuses access, or the content cannot be written here. Another try rarely helps."""


class OrchestratorError(DockerciseError):
    """Prefect could not be reached or did not carry out a request."""

    exit_status = ExitStatus.ENGINE_FAILED


class MachineError(DockerciseError):
    """This machine could not be set up: a command failed, or a file could not be written."""

    exit_status = ExitStatus.ENGINE_FAILED


class WebhookError(DockerciseError):
    """A push could not be accepted, checked or reported: bad signature, an unknown repository, a host that does not answer."""


class HostError(DockerciseError):
    """A host of repositories (GitHub, Gitea, GitLab) did not carry out a request. Another try may succeed."""

    exit_status = ExitStatus.ENGINE_FAILED


class HostRefusedError(HostError):
    """The host refuses the request, and another try will not help: a wrong token, a missing right, no such repository."""

    exit_status = ExitStatus.WRONG_INPUT


def did_you_mean(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that the user most probably meant by `word`, or None."""
    import difflib  # noqa: PLC0415  only needed for wrong input

    exact = next((name for name in known if name.casefold() == word.casefold()), None)
    return exact or next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), None)
