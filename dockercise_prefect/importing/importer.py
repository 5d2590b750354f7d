"""Imports one file of another system: reads it, makes stages of its jobs, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.errors import DefinitionError, NothingToDoError, UsageError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.importing import variables
from dockercise_prefect.importing.assembling import assembled
from dockercise_prefect.importing.circleci import read_circleci
from dockercise_prefect.importing.fields import Budget
from dockercise_prefect.importing.github import read_github
from dockercise_prefect.importing.gitlab import read_gitlab
from dockercise_prefect.importing.kinds import Kind, kind_of
from dockercise_prefect.importing.model import Workflow
from dockercise_prefect.importing.notes import Note, Notes
from dockercise_prefect.importing.reading import documents_of
from dockercise_prefect.importing.steps import read_drone, read_woodpecker
from dockercise_prefect.importing.variables import Predefined
from dockercise_prefect.importing.writing import written

_Read = Callable[[Sequence[MappingNode], Notes, Budget], Workflow]

_SYSTEMS: Mapping[Kind, tuple[_Read, Predefined]] = {
    Kind.WOODPECKER: (read_woodpecker, variables.WOODPECKER),
    Kind.DRONE: (read_drone, variables.DRONE),
    Kind.GITLAB: (read_gitlab, variables.GITLAB),
    Kind.CIRCLECI: (read_circleci, variables.CIRCLECI),
    Kind.GITHUB: (read_github, variables.GITHUB),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What an import made.

    Attributes:
        kind: the system that the file was written for.
        text: the file of a pipeline.
        notes: what was kept, changed and left out, by place.
        stages: the number of its stages.
        outside: the variables that it takes from outside.
    """

    kind: Kind
    text: str
    notes: tuple[Note, ...]
    stages: int
    outside: tuple[str, ...]


def imported(source: Source, kind: Kind | None = None) -> Draft:
    """Import a file.

    Args:
        source: the file; its path is one of the signs of its system.
        kind: the system; by default, it is recognized.

    Raises:
        DefinitionError: the file cannot be read; the error holds all findings.
        UsageError: nothing shows which system it was written for.
        NothingToDoError: it has no job of which something could be kept.
    """
    findings = Findings()
    documents = documents_of(source, findings)
    if findings.failed:
        raise DefinitionError(findings.in_order())
    kind = kind or kind_of(source.path, documents)
    if kind is None:
        systems = ", ".join(each.system for each in Kind)
        message = f"{source.path} does not look like a file of one of these systems: {systems}"
        raise UsageError(message, f"name the system: `--from {' | '.join(Kind)}`")
    read, predefined = _SYSTEMS[kind]
    notes = Notes()
    workflow = read(documents, notes, Budget(findings))
    result = assembled(workflow, predefined, notes)
    in_order = tuple(sorted(notes.all, key=lambda note: (note.place.line, note.place.column)))
    if not result.stages:
        raise NothingToDoError(f"{source.path}: there is no job that could be imported", _hint(in_order))
    text = written(result, in_order, f"{source.path} ({kind.system})")
    return Draft(kind, text, in_order, len(result.stages), result.outside)


def _hint(notes: Sequence[Note]) -> str | None:
    told = [f"line {note.place.line}: {note.what}: {note.text}" for note in notes[:5]]
    return "\n  ".join(told) or None
