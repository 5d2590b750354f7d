"""Whether a stage starts, without running anything."""

from __future__ import annotations

import pytest

from dockercise_prefect.orchestration.scheduling.decisions import (
    Before,
    Blocked,
    Decision,
    GroupOver,
    Ready,
    Skipped,
    StageEnd,
    decide,
)
from dockercise_prefect.pipeline import Dependency, DependencyKind, RunsOn, Stage, When
from dockercise_prefect.status import StageStatus
from tests.orchestration.scheduling.truth_table import EDGES, Row, rows

ROWS = rows()


def asker(when: RunsOn, *edges: tuple[str, str]) -> Stage:
    """A stage with these edges."""
    depends_on = tuple(Dependency(name, DependencyKind(kind)) for name, kind in edges)
    return Stage(name="b", when=When(status=when), depends_on=depends_on)


def in_words(decision: Decision) -> str:
    match decision:
        case Ready():
            return "runs"
        case Skipped():
            return "skipped"
        case Blocked():
            return "not started"
        case GroupOver():
            raise AssertionError("`decide` does not know whether a group is over")


def test_the_tables_are_complete() -> None:
    """The page has each combination of a final status, a kind of edge and a `when` once."""
    ends = set(StageStatus) - {StageStatus.RUNNING, StageStatus.CACHED}
    combinations = {(when, ended, edge) for when in RunsOn for ended in ends for edge in EDGES}

    assert {row[:3] for row in ROWS} == combinations
    assert len(ROWS) == len(combinations)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.when}-{row.ended}-{row.edge}")
def test_a_row_of_the_tables(row: Row) -> None:
    """The decision about a stage is that of the page."""
    end = StageEnd(row.ended)
    before = Before(failed=not row.ended.succeeded, started=True)

    assert in_words(decide(asker(row.when, ("a", row.edge)), {"a": end}, before)) == row.outcome


def test_a_failure_comes_before_an_answer() -> None:
    """If one stage failed and another said no, the stage is not started because of the failure."""
    ends = {"a": StageEnd(StageStatus.TOLERATED), "c": StageEnd(StageStatus.FAILED)}

    decision = decide(asker(RunsOn.SUCCESS, ("a", "if"), ("c", "after")), ends, Before(failed=True, started=True))

    assert isinstance(decision, Blocked)
    assert decision.because == "c"


def test_a_blocked_stage_names_the_first_failure() -> None:
    """The reason is the stage that failed, not one that was blocked itself."""
    ends = {"a": StageEnd(StageStatus.NOT_STARTED, because="root")}

    assert decide(asker(RunsOn.SUCCESS, ("a", "after")), ends, Before(failed=True, started=True)) == Blocked(
        asker(RunsOn.SUCCESS, ("a", "after")), "root"
    )


@pytest.mark.parametrize("when", [RunsOn.ALWAYS, RunsOn.FAILURE])
def test_nothing_is_cleaned_up_if_nothing_had_started(when: RunsOn) -> None:
    """A clean-up stage is skipped if nothing had started that it comes after."""
    stage = asker(when, ("a", "after"))

    decision = decide(stage, {"a": StageEnd(StageStatus.NOT_STARTED)}, Before(failed=True, started=False))

    assert decision == Skipped(stage, "nothing had started that it comes after")


def test_an_always_stage_alone_runs() -> None:
    """A clean-up stage that comes after nothing at all runs, for example as the only target."""
    stage = asker(RunsOn.ALWAYS)

    assert decide(stage, {}, Before(failed=False, started=False, anything=False)) == Ready(stage)
