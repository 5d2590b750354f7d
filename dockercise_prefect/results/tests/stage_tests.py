"""What the test reports of a stage say, as a value: `<stage>.tests.json` in the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from dockercise_prefect.results.tests.counts import NAMED, TestCounts

MOST_CASES = 20_000
"""How many tests the record lists. All of them are counted."""

LONGEST_NAME = 500
LONGEST_HEADLINE = 200
LONGEST_TEXT = 8_000
"""Characters of the name of a test, of the line that is shown with it, and of what it says about its failure."""

MOST_TEXT = 1_000_000
"""Characters of what all tests of a stage together say."""

CUT = "…"


class Outcome(StrEnum):
    """How a test ended."""

    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    PASSED = "passed"

    @property
    def is_wrong(self) -> bool:
        """Whether the test failed or ended with an error."""
        return self in {Outcome.FAILED, Outcome.ERROR}


@dataclass(frozen=True, slots=True)
class Case:
    """One test.

    Attributes:
        name: its own name.
        group: its class, its module or its suite; empty if it has none.
        seconds: how long it took; None if the report does not say so.
        text: what the report says about its failure; for a skipped test, why.
    """

    name: str
    group: str
    outcome: Outcome
    seconds: float | None = None
    text: str = ""

    @property
    def full_name(self) -> str:
        """`tests.test_cart::test_total`: the group and the name."""
        return f"{self.group}::{self.name}" if self.group and self.group != self.name else self.name

    @property
    def headline(self) -> str:
        """The first line of its text that says something, or the beginning of that line."""
        return _cut(next((line.strip() for line in self.text.splitlines() if line.strip()), ""), LONGEST_HEADLINE)


@dataclass(frozen=True, slots=True)
class StageTests:
    """The tests of a stage, from all of its reports.

    Attributes:
        counts: how many there are, also those that `cases` does not list.
        cases: the tests, failures first.
        reports: the paths of the reports below `$OUT`.
        left_out: what could not be read or is not listed, one line each.
    """

    counts: TestCounts
    cases: tuple[Case, ...]
    reports: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Case, ...]:
        """The tests that failed or ended with an error."""
        return tuple(case for case in self.cases if case.outcome.is_wrong)

    @classmethod
    def of(cls, cases: Iterable[Case], reports: Iterable[str], left_out: Iterable[str]) -> StageTests:
        """Count the tests, and keep as much of them as a record may hold."""
        ordered = sorted(cases, key=lambda case: _RANKS[case.outcome])
        notes = [*left_out]
        if len(ordered) > MOST_CASES:
            notes.append(f"{len(ordered) - MOST_CASES:,} of {len(ordered):,} tests are only counted")
        return cls(_counted(ordered), tuple(_within_bounds(ordered[:MOST_CASES])), tuple(reports), tuple(notes))

    def masked(self, mask: Callable[[str], str]) -> StageTests:
        """The same, with texts that are safe to show."""

        def shown(case: Case) -> Case:
            return replace(case, name=mask(case.name), group=mask(case.group), text=mask(case.text))

        return StageTests(
            replace(self.counts, failed=tuple(map(mask, self.counts.failed))),
            tuple(map(shown, self.cases)),
            tuple(map(mask, self.reports)),
            tuple(map(mask, self.left_out)),
        )

    def to_json(self) -> bytes:
        """As JSON in bytes, one test a line, without what has its default. `from_json` parses it."""
        counts = self.counts
        head = {
            "tests": counts.tests,
            "failures": counts.failures,
            "errors": counts.errors,
            "skipped": counts.skipped,
            "seconds": counts.seconds,
            "failed": list(counts.failed),
            "reports": list(self.reports),
            "left_out": list(self.left_out),
        }
        lines = ",\n".join(_dumped(_case_to_json(case)) for case in self.cases)
        return f'{_dumped(head)[:-1]}, "cases": [\n{lines}\n]}}\n'.encode()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageTests:
        """Parse the object of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: the object is not from `to_json`.
        """
        return cls(
            _COUNTS.validate_python({key: value for key, value in data.items() if key in TestCounts.__dataclass_fields__}),
            tuple(_CASES.validate_python([{"group": "", "outcome": "passed", **case} for case in data["cases"]])),
            tuple(data["reports"]),
            tuple(data["left_out"]),
        )


_RANKS = {outcome: rank for rank, outcome in enumerate(Outcome)}
_COUNTS = TypeAdapter(TestCounts)
_CASES = TypeAdapter(list[Case])


def _counted(cases: list[Case]) -> TestCounts:
    wrong = [case.name[:LONGEST_NAME] for case in cases if case.outcome.is_wrong]
    return TestCounts(
        tests=len(cases),
        failures=sum(case.outcome is Outcome.FAILED for case in cases),
        errors=sum(case.outcome is Outcome.ERROR for case in cases),
        skipped=sum(case.outcome is Outcome.SKIPPED for case in cases),
        seconds=round(sum(case.seconds or 0.0 for case in cases), 3),
        failed=tuple(wrong[:NAMED]),
    )


def _within_bounds(cases: Iterable[Case]) -> Iterable[Case]:
    left = MOST_TEXT
    for case in cases:
        text = _cut(case.text, min(LONGEST_TEXT, left))
        left -= len(text)
        yield replace(case, name=_cut(case.name, LONGEST_NAME), group=_cut(case.group, LONGEST_NAME), text=text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: max(0, longest - 1)] + CUT[:longest]


def _case_to_json(case: Case) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": case.name}
    if case.group:
        entry["group"] = case.group
    if case.outcome is not Outcome.PASSED:
        entry["outcome"] = case.outcome.value
    if case.seconds is not None:
        entry["seconds"] = case.seconds
    if case.text:
        entry["text"] = case.text
    return entry


def _dumped(value: Mapping[str, Any]) -> str:
    # Names of files may hold bytes that are not UTF-8, as half surrogate pairs: JSON has escapes for them.
    return json.dumps(value, ensure_ascii=True)
