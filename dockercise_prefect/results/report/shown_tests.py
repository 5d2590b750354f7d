"""The tests of a stage as the page of a run shows them: failures with their texts, the others folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dockercise_prefect.results.reading.wording import duration
from dockercise_prefect.results.tests.counts import TestCounts
from dockercise_prefect.results.tests.stage_tests import CUT, Case, Outcome, StageTests

OPEN = 5
"""How many failed tests are open at once. The texts of the others are one click away."""

MOST_WRONG = 100
MOST_OTHERS = 500
"""How many tests the page of a run with few stages shows of one stage. All of them are in the file."""

_BYTES = 100
"""About what the row of a test takes, without its text."""

MARKS = {Outcome.FAILED: "✗", Outcome.ERROR: "!", Outcome.SKIPPED: "-", Outcome.PASSED: "✓"}


@dataclass(frozen=True, slots=True)
class Row:
    """One test."""

    name: str
    outcome: str
    mark: str
    took: str
    headline: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownTests:
    """The tests of one stage.

    Attributes:
        wrong: those that failed or ended with an error.
        others: those that passed or were skipped.
        open: how many of `wrong` are open at first.
        more_wrong: how many failed tests only the file has. `more_others`: the same for the others.
    """

    counts: TestCounts
    wrong: Sequence[Row]
    others: Sequence[Row]
    left_out: Sequence[str]
    more_wrong: int
    more_others: int
    open: int = OPEN

    @classmethod
    def of(cls, tests: StageTests, budget: int) -> ShownTests:
        """What the page shows of the tests of a stage, in about so many bytes."""
        rows = max(1, budget // 2 // _BYTES)
        wrong = tuple(_within(tests.wrong[: min(MOST_WRONG, rows)], budget // 2))
        others = [case for case in tests.cases if not case.outcome.is_wrong]
        shown = tuple(_row(case, "") for case in others[: min(MOST_OTHERS, rows)])
        counted = tests.counts.tests - tests.counts.wrong
        return cls(tests.counts, wrong, shown, tests.left_out, tests.counts.wrong - len(wrong), counted - len(shown))


def _within(cases: Sequence[Case], left: int) -> Iterator[Row]:
    for case in cases:
        text = case.text if len(case.text) <= left else f"{case.text[:left]}{CUT}"
        left -= min(left, len(text))
        yield _row(case, text)


def _row(case: Case, text: str) -> Row:
    took = "" if case.seconds is None else duration(case.seconds)
    return Row(case.full_name, case.outcome.value, MARKS[case.outcome], took, case.headline, text)
