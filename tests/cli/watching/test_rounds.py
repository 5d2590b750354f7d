"""Which runs the next round resumes."""

from __future__ import annotations

import pytest

from dockercise_prefect.cli.watching.rounds import Round, round_of, with_latest


def ended(run_id: str, *passed: str) -> Round:
    """A round in which these stages passed."""
    return Round(1, run_id, frozenset(passed))


def test_a_round_is_read_from_its_summary() -> None:
    """Stages that passed or were reused count, and no others."""
    statuses = {"a": "passed", "b": "cached", "c": "failed", "d": "not_started", "e": "tolerated", "f": "cancelled"}

    found = round_of(1, {"run_id": "one", "stages": {name: {"status": status} for name, status in statuses.items()}})

    assert found == Round(1, "one", frozenset({"a", "b"}))


@pytest.mark.parametrize("summary", [None, {}, {"run_id": "", "stages": {}}])
def test_a_round_without_a_run_has_no_stages(summary: dict[str, object] | None) -> None:
    """The process ended before its run began."""
    assert round_of(3, summary) == Round(3)


def test_the_latest_round_is_enough_if_all_passed_there() -> None:
    """Nothing is to be found in earlier rounds."""
    earlier = (ended("two", "a", "b"), ended("one", "a"))

    assert [one.run_id for one in with_latest(earlier, ended("three", "a", "b"))] == ["three"]


def test_a_stage_that_did_not_pass_is_taken_from_an_earlier_round() -> None:
    """The latest one in which it passed, and no round that has nothing more."""
    earlier = (ended("three", "a"), ended("two", "a", "b"), ended("one", "b"))

    found = with_latest(earlier, ended("four", "c"))

    assert [one.run_id for one in found] == ["four", "three", "two"]


def test_a_round_in_which_nothing_passed_changes_nothing() -> None:
    """Neither does one whose run did not begin."""
    earlier = (ended("one", "a"),)

    assert with_latest(earlier, ended("two")) == earlier
    assert with_latest(earlier, Round(3)) == earlier
    assert with_latest(earlier, Round(-9)) == earlier


def test_after_a_refusal_none_is_resumed() -> None:
    """The record of one of them may be gone, and each later round would be refused too."""
    assert with_latest((ended("one", "a"),), Round(2)) == ()
