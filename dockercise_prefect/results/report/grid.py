"""The grid of a pipeline's runs: a row for each run, a column for each stage, so that one look shows what broke when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.reading.wording import words
from dockercise_prefect.status import StageStatus

MOST_COLUMNS = 200
MOST_CELLS = 40_000
"""Of one page. A browser takes seconds for a table of hundreds of thousands of cells."""

FOLDED = 20
"""From so many instances on, the instances of a stage are one column."""

_SEVERITY = (
    StageStatus.ERROR,
    StageStatus.FAILED,
    StageStatus.TIMED_OUT,
    StageStatus.CANCELLED,
    StageStatus.RUNNING,
    StageStatus.NOT_STARTED,
    StageStatus.TOLERATED,
    StageStatus.PASSED,
    StageStatus.CACHED,
    StageStatus.SKIPPED,
)
"""The states, the worst first. The worst of its instances is the state of a folded stage."""

Stages = Mapping[StageName, StageStatus]


@dataclass(frozen=True, slots=True)
class Column:
    """A stage, or all instances of a stage."""

    label: str
    members: tuple[StageName, ...]

    @property
    def stage(self) -> StageName | None:
        """The stage that the cells link to; None if they are about several."""
        return self.members[0] if len(self.members) == 1 else None


@dataclass(frozen=True, slots=True)
class Cell:
    """How a stage ended in a run.

    Attributes:
        state: the class of the cell; empty if the run has no such stage.
        words: the state for people.
        stage: the stage to blame, whose place on the page of the run is linked; None if nothing is to blame.
    """

    state: str
    words: str
    stage: StageName | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """The columns, and how many stages have none."""

    columns: tuple[Column, ...]
    left_out: int

    @classmethod
    def of(cls, rows: Sequence[Stages]) -> Grid:
        """The columns for these runs, newest first: in the order of the newest run, and then what only older runs have."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = list(_folded(names))
        most = max(1, min(MOST_COLUMNS, MOST_CELLS // max(1, len(rows))))
        if len(columns) > most:
            blamed = {name for row in rows for name, status in row.items() if status.to_blame}
            ranked = sorted(range(len(columns)), key=lambda index: blamed.isdisjoint(columns[index].members))
            columns = [columns[index] for index in sorted(ranked[:most])]
        return cls(tuple(columns), len(names) - sum(len(column.members) for column in columns))

    def cells(self, row: Stages) -> Iterator[Cell]:
        """The cells of a run, one for each column."""
        return (_cell(column, row) for column in self.columns)


def _folded(names: Sequence[StageName]) -> Iterator[Column]:
    """One column for each stage, but for the instances of a stage that has many."""
    instances: dict[str, list[StageName]] = {}
    for name in names:
        instances.setdefault(_written_name(name), []).append(name)
    for written, members in instances.items():
        if len(members) >= FOLDED:
            yield Column(f"{written}(…)", tuple(members))
        else:  # instances of one stage stand together
            yield from (Column(name, (name,)) for name in members)


def _written_name(name: StageName) -> str:
    """The name of the stage that an instance like `test(3.12,pg)` is of; the name itself for any other stage."""
    written, bracket, _ = name.partition("(")
    return written if bracket and written and name.endswith(")") else name


def _cell(column: Column, row: Stages) -> Cell:
    found = [(row[name], name) for name in column.members if name in row]
    if not found:
        return Cell("", "")
    status, worst = min(found, key=lambda one: _SEVERITY.index(one[0]))
    count = sum(other is status for other, _ in found)
    text = words(status) if column.stage is not None else f"{words(status)}: {count} of {len(found)}"
    return Cell(status.value, text, worst if status.to_blame else None)
