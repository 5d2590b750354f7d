"""The newest runs of a pipeline, and how many requests it takes to find them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.results.places.s3 import SomeFolders
from dockercise_prefect.results.serving.newest import newest_runs

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Listing:
    """Lists names as S3 does, some at a time."""

    def __init__(self, names: list[str], page: int = 1000) -> None:
        self.names = sorted(names)
        self.page = page
        self.requests = 0

    def __call__(self, after: str) -> SomeFolders:
        self.requests += 1
        found = [name for name in self.names if f"{name}/" > after]
        return SomeFolders(tuple(found[: self.page]), len(found) > self.page)


def run_at(minutes: int) -> str:
    """The id of a run that began so many minutes ago."""
    return f"{NOW - timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}-{minutes % 65536:04x}"


def test_a_thousand_runs_take_one_request() -> None:
    """One answer of S3 has 1,000 names; other folders are no runs."""
    listing = Listing([*(run_at(minutes) for minutes in range(999)), "zzz"])

    found = newest_runs(listing, None, 50, NOW)

    assert (found, listing.requests) == ([run_at(minutes) for minutes in range(50)], 1)


def test_many_thousands_take_a_few_requests() -> None:
    """Of 100,000 runs, the newest 50 take two requests, and so do any others that are named by the run after them."""
    listing = Listing([run_at(minutes * 10) for minutes in range(100_000)])

    newest = newest_runs(listing, None, 50, NOW)
    assert (newest, listing.requests) == ([run_at(minutes * 10) for minutes in range(50)], 2)

    older = newest_runs(listing, run_at(500_000), 50, NOW)
    assert (older, listing.requests) == ([run_at(500_000 + minutes * 10) for minutes in range(1, 51)], 4)


def test_a_pipeline_that_rested_for_years() -> None:
    """The newest runs are found however long ago they were."""
    listing = Listing([run_at(2_000_000 + minutes) for minutes in range(2500)])

    found = newest_runs(listing, None, 50, NOW)

    assert found == [run_at(2_000_000 + minutes) for minutes in range(50)]


@pytest.mark.parametrize("before", [None, run_at(0)])
def test_no_runs(before: str | None) -> None:
    """A pipeline without runs has none."""
    assert newest_runs(Listing([]), before, 50, NOW) == []


@given(st.sets(st.integers(0, 3_000_000), max_size=60), st.integers(1, 7), st.integers(1, 9), st.integers(-1, 3_000_000))
def test_it_is_what_a_complete_list_would_give(minutes: set[int], page: int, count: int, border: int) -> None:
    """Whatever runs there are, and however few names an answer has, the result is the end of the complete list."""
    names = [run_at(one) for one in minutes]
    before = None if border < 0 else run_at(border)

    found = newest_runs(Listing(names, page), before, count, NOW)

    assert found == sorted((name for name in names if before is None or name < before), reverse=True)[:count]
