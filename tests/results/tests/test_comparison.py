"""What fails since when, what flickers and what got slower, from the tests of several runs."""

from __future__ import annotations

import pytest

from dockercise_prefect.results.tests.comparison import (
    Failing,
    Flickering,
    NamedTest,
    RunTests,
    Seen,
    Slower,
    failing,
    flickering,
    slower,
)
from dockercise_prefect.results.tests.stage_tests import Outcome

T = NamedTest("unit", "t")

_OUTCOMES = {"p": Outcome.PASSED, "f": Outcome.FAILED, "e": Outcome.ERROR, "s": Outcome.SKIPPED}


def runs(outcomes: str, codes: str = "") -> list[RunTests]:
    """Runs of one test, newest first: how it ended in each, where `-` is for a run without it, and the code of each."""
    return [
        RunTests(
            f"r{len(outcomes) - number}",
            codes[number] if codes else None,
            {} if letter == "-" else {T: Seen(_OUTCOMES[letter], None)},
        )
        for number, letter in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "since"),
    [
        ("p", None),
        ("f", ("r1", 1)),
        ("ffp", ("r2", 2)),
        ("fef", ("r1", 3)),
        ("f-fp", ("r2", 2)),
        ("fsfp", ("r2", 2)),
        ("fpf", ("r3", 1)),
        ("-ff", None),
        ("sff", None),
    ],
)
def test_since_when_a_test_fails(outcomes: str, since: tuple[str, int] | None) -> None:
    """A test fails since the first of its failures in a row; runs that lack or skip it are no interruption."""
    assert [(one.since, one.runs) for one in failing(runs(outcomes))] == ([] if since is None else [since])


def test_failures_keep_their_order_and_their_stages() -> None:
    """Tests of two stages with one name are two tests, and are listed in the order of the run."""
    other = NamedTest("other", "t")
    now = RunTests("r2", None, {other: Seen(Outcome.FAILED, 1), T: Seen(Outcome.ERROR, 1)})
    before = RunTests("r1", None, {T: Seen(Outcome.ERROR, 1)})

    assert failing([now, before]) == [Failing(other, Outcome.FAILED, "r2", 1), Failing(T, Outcome.ERROR, "r1", 2)]


@pytest.mark.parametrize(
    ("outcomes", "codes", "flickers"),
    [
        ("pf", "aa", True),
        ("pf", "ab", False),
        ("pp", "aa", False),
        ("sf", "aa", False),
        ("pef", "aba", True),
        ("pf", "", False),
    ],
    ids=["same code", "other code", "passed", "skipped", "not in a row", "unknown code"],
)
def test_what_flickers(outcomes: str, codes: str, flickers: bool) -> None:
    """A test flickers if it passed and failed on the same code, and only if the code is known."""
    assert bool(flickering(runs(outcomes, codes))) == flickers


def test_how_often_it_flickered() -> None:
    """All of its runs are counted, also those on other code."""
    assert flickering(runs("pfpfp", "aabcd")) == [Flickering(T, failed=2, passed=3, last="r4")]


def test_reused_tests_did_not_run() -> None:
    """What a reused stage reports is of an earlier run: it does not flicker, and its time is not a new one, but it fails."""
    seen = {T: Seen(Outcome.FAILED, 9.0)}
    reused = RunTests("r2", "a", seen, frozenset({"unit"}))

    assert flickering([reused, *runs("p", "a")]) == []
    assert [one.since for one in failing([reused])] == ["r2"]


@pytest.mark.parametrize(
    ("newest", "earlier", "expected"),
    [
        ([3, 3, 3], [1] * 5, [Slower(T, 3, 1)]),
        ([3, 3, 3], [1] * 4, []),
        ([9, 1, 1], [1] * 20, []),
        ([1.4, 1.4, 1.4], [1] * 9, []),
        ([0.6, 0.6, 0.6], [0.2] * 9, []),
        ([60, 60, 60], [50] * 9, []),
    ],
    ids=["slower", "too few", "one slow run", "less than half a second", "many times a little", "a fifth"],
)
def test_what_got_slower(newest: list[float], earlier: list[float], expected: list[Slower]) -> None:
    """The median of three newer times is compared with that of the times before, by factor and by seconds."""
    measured = [RunTests("r", None, {T: Seen(Outcome.PASSED, seconds)}) for seconds in [*newest, *earlier]]

    assert slower(measured) == expected


def test_times_of_failures_do_not_count() -> None:
    """A test that fails early or hangs did not get faster or slower."""
    passed = [RunTests("r", None, {T: Seen(Outcome.PASSED, 1)})] * 9
    failed = [RunTests("r", None, {T: Seen(Outcome.FAILED, 60)})] * 3

    assert slower([*failed, *passed]) == []
