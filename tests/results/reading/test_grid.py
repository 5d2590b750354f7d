"""The grid of runs and stages, as a value."""

from __future__ import annotations

from dockercise_prefect.results.report.grid import FOLDED, MOST_COLUMNS, Cell, Grid
from dockercise_prefect.status import StageStatus

PASSED, FAILED = StageStatus.PASSED, StageStatus.FAILED


def test_columns_are_in_the_order_of_the_newest_run() -> None:
    """Stages that only older runs have come last, and a run has empty cells for stages that it does not have."""
    newest, older = {"build": PASSED, "test": PASSED}, {"lint": PASSED, "build": StageStatus.TIMED_OUT}

    grid = Grid.of([newest, older])

    assert [column.label for column in grid.columns] == ["build", "test", "lint"]
    assert list(grid.cells(older)) == [Cell("timed_out", "timed out", "build"), Cell("", ""), Cell("passed", "passed")]


def test_few_instances_stand_together() -> None:
    """The instances of a stage have columns side by side, also if one of them is only in an older run."""
    grid = Grid.of([{"test(3.12)": PASSED, "lint": PASSED}, {"test(3.11)": FAILED}])

    assert [column.label for column in grid.columns] == ["test(3.12)", "test(3.11)", "lint"]


def test_many_instances_are_folded() -> None:
    """From twenty on, they are one column with the worst state and how many ended so, linked to the first of these."""
    row = {f"test({number})": FAILED if number in {3, 7} else PASSED for number in range(FOLDED)}

    grid = Grid.of([row, dict.fromkeys(row, PASSED)])

    assert [(column.label, column.stage) for column in grid.columns] == [("test(…)", None)]
    assert list(grid.cells(row)) == [Cell("failed", "failed: 2 of 20", "test(3)")]
    assert list(grid.cells(dict.fromkeys(row, PASSED))) == [Cell("passed", "passed: 20 of 20")]


def test_of_too_many_stages_those_that_failed_are_shown() -> None:
    """A stage that failed in any of the runs has a column, in its place."""
    row = {f"s{number}": FAILED if number == 900 else PASSED for number in range(1_000)}

    grid = Grid.of([row])

    assert (len(grid.columns), grid.left_out) == (MOST_COLUMNS, 1_000 - MOST_COLUMNS)
    assert grid.columns[-1].label == "s900"


def test_no_runs_no_columns() -> None:
    """A page without runs, or with runs that have not ended, has no columns."""
    assert Grid.of([{}, {}]) == Grid((), 0)
