"""The table below the output of a run, and the parts of its rows."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.cli.present.board import Board
from dockercise_prefect.cli.present.lines import ASCII, UNICODE
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.reading.wording import duration
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus

FAILED = StageSummary(StageStatus.FAILED, 2, "2026-11-22T19:03:12+00:00", "2026-11-22T19:03:13+00:00", message="exit code 2")


def board_of(count: int, running: Iterable[int], failed: Iterable[int]) -> Board:
    pipeline = Pipeline("many", [stage(f"s{number}", image="bb:1", run="…") for number in range(count)])
    over = {f"s{number}": FAILED for number in failed}
    return Board(pipeline, {f"s{number}": 0.0 for number in running} | dict.fromkeys(over, 0.0), over)


def test_a_board_that_fits_shows_every_stage() -> None:
    """A small pipeline is shown whole while it runs: what waits, what runs and for how long, and what ended and how."""
    board = board_of(3, running=[1], failed=[0])

    rows = [row.plain for row in board.rows(now=2.5, screen_height=24, marks=UNICODE)]

    assert rows == ["  ✗ s0   1.0 s   exit code 2", "  ▸ s1   2.5 s", "    s2           waiting"]


def test_a_large_board_shows_what_matters_and_counts_the_rest() -> None:
    """Of 200 stages, the running and the failed ones are shown, with the number of each."""
    board = board_of(200, running=[7, 8], failed=[3])

    rows = [row.plain for row in board.rows(now=1, screen_height=24, marks=UNICODE)]

    assert rows == [
        "  ✗ s3     1.0 s   exit code 2",
        "  ▸ s7     1.0 s",
        "  ▸ s8     1.0 s",
        "  1 failed · 2 running · 197 waiting",
    ]


@given(count=st.integers(1, 60), data=st.data(), height=st.integers(1, 60))
def test_a_board_takes_half_of_the_screen_at_most(count: int, data: st.DataObject, height: int) -> None:
    """However many stages run or fail, the board leaves half of the screen to the output, and shows some of both."""
    numbers = st.sets(st.integers(0, count - 1))
    failed = data.draw(numbers)
    running = data.draw(numbers) - failed

    rows = [row.plain for row in board_of(count, running, failed).rows(1, height, UNICODE)]

    assert len(rows) <= max(3, height // 2)
    assert not running or any("▸" in row for row in rows)
    assert not failed or any("✗" in row for row in rows)


def test_every_status_has_a_mark_of_its_own_kind() -> None:
    """Success, tolerance, failure, our error, cancellation and not starting look different without colour, in both sets."""
    kinds = [
        StageStatus.PASSED,
        StageStatus.TOLERATED,
        StageStatus.FAILED,
        StageStatus.ERROR,
        StageStatus.CANCELLED,
        StageStatus.NOT_STARTED,
        StageStatus.RUNNING,
    ]

    for marks in (UNICODE, ASCII):
        assert set(marks.stages) == set(StageStatus)
        assert len({marks.stages[kind] for kind in kinds}) == len(kinds)
    assert all(mark.isascii() for mark in [ASCII.bar, ASCII.dot, *ASCII.stages.values()])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (99.94, "99.9 s"),
        (99.95, "1m 40s"),
        (125, "2m 05s"),
        (3599.7, "1h 00m"),
        (3600, "1h 00m"),
        (36_125, "10h 02m"),
    ],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    """A duration of up to ten hours fits its column."""
    assert duration(seconds) == shown
