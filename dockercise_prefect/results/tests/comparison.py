"""Compares the tests of a run with those of earlier runs: what fails since when, what flickers, what got slower.

Everything here is pure. `results.reading.compared_tests` reads the runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, TypeAlias

from dockercise_prefect.results.tests.stage_tests import Outcome

NEWEST = 3
EARLIER = 20
FEWEST = 5
"""The median of the `NEWEST` times of a test is compared with that of up to `EARLIER` times before, if there are `FEWEST`."""

SLOWER_FACTOR = 1.5
SLOWER_SECONDS = 0.5
"""A test got slower if the newer median is so many times the older one, and so many seconds more."""


class NamedTest(NamedTuple):
    """A test: its stage, and its full name in the report."""

    stage: str
    name: str


class Seen(NamedTuple):
    """How a test ended in one run."""

    outcome: Outcome
    seconds: float | None


Tests: TypeAlias = Mapping[NamedTest, Seen]


@dataclass(frozen=True, slots=True)
class RunTests:
    """The tests of one run.

    Attributes:
        code: identifies the code that the run had; None if it is not known.
        tests: all tests, also those of stages that were reused.
        reused: the stages that were reused: their tests did not run here.
    """

    run_id: str
    code: str | None
    tests: Tests
    reused: frozenset[str] = frozenset()

    @property
    def ran(self) -> Iterator[tuple[NamedTest, Seen]]:
        """The tests that ran here."""
        return ((test, seen) for test, seen in self.tests.items() if test.stage not in self.reused)


@dataclass(frozen=True, slots=True)
class Failing:
    """A test that fails now.

    Attributes:
        since: the first of the runs in a row in which it failed.
        runs: how many runs in a row these are.
    """

    test: NamedTest
    outcome: Outcome
    since: str
    runs: int


@dataclass(frozen=True, slots=True)
class Flickering:
    """A test that passed and failed on the same code.

    Attributes:
        failed: in how many runs it failed. passed: in how many it passed.
        last: the newest run in which it failed.
    """

    test: NamedTest
    failed: int
    passed: int
    last: str


@dataclass(frozen=True, slots=True)
class Slower:
    """A test that got slower. Both times are medians, in seconds."""

    test: NamedTest
    seconds: float
    before: float


def failing(runs: Sequence[RunTests]) -> list[Failing]:
    """The tests that fail in the first run, in its order. Runs in which a test is missing do not interrupt its failures.

    Args:
        runs: newest first.
    """
    found: list[Failing] = []
    for test, seen in runs[0].tests.items() if runs else ():
        if seen.outcome.is_wrong:
            since, count = runs[0].run_id, 0
            for run in runs:
                then = run.tests.get(test)
                if then is not None and then.outcome.is_wrong:
                    since, count = run.run_id, count + 1
                elif then is not None and then.outcome is Outcome.PASSED:
                    break
            found.append(Failing(test, seen.outcome, since, count))
    return found


def flickering(runs: Sequence[RunTests]) -> list[Flickering]:
    """The tests that passed in one run and failed in another on the same code, most failures first.

    Args:
        runs: newest first.
    """
    on_code: dict[NamedTest, dict[str, set[bool]]] = defaultdict(lambda: defaultdict(set))
    ended: dict[NamedTest, list[tuple[bool, str]]] = defaultdict(list)
    for run in runs:
        for test, seen in run.ran:
            if seen.outcome is not Outcome.SKIPPED:
                ended[test].append((seen.outcome.is_wrong, run.run_id))
                if run.code is not None:
                    on_code[test][run.code].add(seen.outcome.is_wrong)
    found = [_flickers(test, ended[test]) for test, codes in on_code.items() if any(len(both) > 1 for both in codes.values())]
    return sorted(found, key=lambda one: (-one.failed, one.test))


def slower(runs: Sequence[RunTests]) -> list[Slower]:
    """The tests that got slower, those with the greatest difference first. Only times of tests that passed count.

    Args:
        runs: newest first.
    """
    times: dict[NamedTest, list[float]] = defaultdict(list)
    for run in runs:
        for test, seen in run.ran:
            if seen.outcome is Outcome.PASSED and seen.seconds is not None:
                times[test].append(seen.seconds)
    found = []
    for test, seconds in times.items():
        newest, earlier = seconds[:NEWEST], seconds[NEWEST : NEWEST + EARLIER]
        if len(earlier) >= FEWEST:
            now, before = median(newest), median(earlier)
            if now >= SLOWER_FACTOR * before and now - before >= SLOWER_SECONDS:
                found.append(Slower(test, now, before))
    return sorted(found, key=lambda one: (one.before - one.seconds, one.test))


def _flickers(test: NamedTest, ended: Sequence[tuple[bool, str]]) -> Flickering:
    failures = [run for is_wrong, run in ended if is_wrong]
    return Flickering(test, len(failures), len(ended) - len(failures), failures[0])
