"""The stages that the end of a run waited for."""

from dockercise_prefect.results.reading.timeline import critical_path
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus


def ran(begin: int, end: int, status: StageStatus = StageStatus.PASSED) -> StageSummary:
    return StageSummary(status, 0, f"2026-11-26T10:00:{begin:02}+00:00", f"2026-11-26T10:00:{end:02}+00:00")


def test_the_path_follows_what_ended_last() -> None:
    """Of two paths to the last stage, the one that it waited for is critical; parallel stages are not on it."""
    needs = {"quick": ["start"], "slow": ["start"], "end": ["quick", "slow"], "beside": []}
    stages = {"start": ran(0, 1), "quick": ran(1, 2), "slow": ran(1, 9), "end": ran(9, 10), "beside": ran(0, 8)}

    assert critical_path(needs, stages) == ("start", "slow", "end")


def test_the_path_of_a_run_that_failed_leads_to_the_failure() -> None:
    """A stage that ran longer than the failed one is not the reason of the failure."""
    needs = {"unit": ["build"], "lint": []}
    stages = {"build": ran(0, 2), "unit": ran(2, 4, StageStatus.FAILED), "lint": ran(0, 9)}

    assert critical_path(needs, stages) == ("build", "unit")


def test_what_never_started_is_on_no_path() -> None:
    """An interrupted run has the path up to the interruption; a run in which nothing ran has no path."""
    never = StageSummary(StageStatus.NOT_STARTED)

    assert critical_path({"b": ["a"]}, {"a": ran(0, 1), "b": never}) == ("a",)
    assert critical_path({}, {"a": never}) == ()
