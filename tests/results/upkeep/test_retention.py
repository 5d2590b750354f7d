"""Which records of a pipeline exceed the limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.results.upkeep.retention import Limits, StoredRun, surplus

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def run(days: int, size: int = 10, *, is_over: bool = True) -> StoredRun:
    """The record of a run of so many days ago."""
    began = NOW - timedelta(days=days)
    return StoredRun(f"{began:%Y%m%dT%H%M%SZ}-0000", began, size, is_over)


RUNS = [run(3), run(1), run(9), run(5)]


def unwanted(limits: Limits, runs: list[StoredRun] | None = None) -> list[int]:
    """The ages in days of the records that exceed the limits."""
    return [(NOW - each.began).days for each, _ in surplus(RUNS if runs is None else runs, limits, NOW)]


@pytest.mark.parametrize(
    ("limits", "ages"),
    [
        (Limits(), []),
        (Limits(days=5), [9]),
        (Limits(days=4), [5, 9]),
        (Limits(runs=2), [5, 9]),
        (Limits(runs=4), []),
        (Limits(size=30), [9]),
        (Limits(size=29), [5, 9]),
        (Limits(days=8, runs=3, size=1000), [9]),
    ],
)
def test_what_is_too_old_too_many_or_too_large_is_unwanted(limits: Limits, ages: list[int]) -> None:
    """Each limit counts from the newest record, and without a limit nothing is unwanted."""
    assert unwanted(limits) == ages


def test_the_newest_record_always_stays() -> None:
    """The newest record stays, however old or large it is."""
    assert unwanted(Limits(days=1, runs=1, size=1), [run(100, 500)]) == []


def test_a_run_that_has_not_ended_stays_and_does_not_count() -> None:
    """A record without an end may belong to a run that lives, so it stays, and the others are counted without it."""
    assert unwanted(Limits(days=2, runs=1, size=1), [run(50, is_over=False), run(1), run(0, is_over=False)]) == []


def test_the_reason_names_the_setting() -> None:
    """Each reason says which limit was exceeded, by the name of its setting."""
    reasons = [
        why
        for limits in (Limits(days=1), Limits(runs=1), Limits(size=2048))
        for _, why in surplus([run(0), run(2, 4096)], limits, NOW)
    ]

    assert reasons == [
        "older than 1 day (keep_days)",
        "not among the newest 1 (keep_runs)",
        "with the newer records, it is more than 2k (keep_size)",
    ]


@given(
    st.lists(st.builds(run, st.integers(0, 50), st.integers(0, 100), is_over=st.booleans()), unique_by=lambda one: one.run_id),
    st.builds(Limits, *(st.none() | st.integers(1, 60),) * 3),
)
def test_what_is_left_keeps_to_the_limits(runs: list[StoredRun], limits: Limits) -> None:
    """After the removal, nothing more is unwanted, and all limits hold for what is left besides the newest record."""
    gone = [each for each, _ in surplus(runs, limits, NOW)]

    left = [each for each in runs if each not in gone]
    ended = [each for each in left if each.is_over]
    assert list(surplus(left, limits, NOW)) == []
    assert all(each.is_over for each in gone)
    if len(ended) > 1:
        assert limits.runs is None or len(ended) <= limits.runs
        assert limits.size is None or sum(each.size for each in ended) <= limits.size
