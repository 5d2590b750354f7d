"""How much of a stage's output Prefect gets."""

from __future__ import annotations

import logging

import pytest

from dockercise_prefect.orchestration.run.stage_log import LONGEST_LINE, StageLog
from dockercise_prefect.results.record.log_file import SilentLog


def logged(caplog: pytest.LogCaptureFixture, printed: bytes, budget: int) -> list[str]:
    """The lines that Prefect's logger gets from a stage's output."""
    logger = logging.getLogger("a stage")
    caplog.set_level(logging.INFO, logger.name)
    log = StageLog("a", SilentLog(), logger, lambda _event: None, lambda _line: None, where="file:///run-1", budget=budget)
    log("stdout", printed)
    log.close()
    return [record.getMessage() for record in caplog.records]


def test_lines_above_the_budget_are_said_to_follow(caplog: pytest.LogCaptureFixture) -> None:
    """The first lines are logged, with one that names the place of the others."""
    found = logged(caplog, b"a\nb\nc\nd\n", 2)

    assert found == ["a", "b", "more lines follow; the full log of a is in file:///run-1"]


def test_long_lines_count_more_than_once(caplog: pytest.LogCaptureFixture) -> None:
    """A log without line breaks gives Prefect about as much to send as a log with them."""
    found = logged(caplog, b"x" * (100 * LONGEST_LINE), 2_000)

    assert sum(map(len, found)) < 2_000 * 600
    assert found[-1] == "more lines follow; the full log of a is in file:///run-1"
