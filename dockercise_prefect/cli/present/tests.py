"""The lines about the tests of a run, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.results.reading.wording import duration
from dockercise_prefect.results.summary import StageSummary

if TYPE_CHECKING:
    from dockercise_prefect.results.reading.compared_tests import ComparedTests
    from dockercise_prefect.results.tests.comparison import Failing, Flickering, NamedTest, Slower

MOST_LISTED = 30
"""How many tests of a kind are listed."""

MOST_STAGES = 10
"""How many stages have a line of their own about their tests. The tests of the others are counted."""


def count_lines(stages: Mapping[str, StageSummary]) -> Iterator[Text]:
    """`unit: 12 tests, 1 failed: test_total`, for each stage with test reports, those with failed tests first."""
    tested = [(name, stage.tests) for name, stage in stages.items() if stage.tests is not None]
    ordered = sorted(tested, key=lambda one: not one[1].wrong)
    for name, counts in ordered[:MOST_STAGES]:
        yield Text(plain_line(f"{name}: {counts.words}"), "red" if counts.wrong else "")
    if rest := [counts for _, counts in ordered[MOST_STAGES:]]:
        tests, wrong = sum(counts.tests for counts in rest), sum(counts.wrong for counts in rest)
        failed = f", {wrong:,} failed" if wrong else ""
        yield Text(f"{len(rest):,} more stages: {tests:,} tests{failed}", "red" if wrong else "")


def head_line(compared: ComparedTests, dot: str) -> Text:
    """`shop · 20261130T120000Z-7f3a · 412 tests, 2 failed · compared with 29 earlier runs`."""
    counts = [tests.counts for tests in compared.stages.values()]
    tests, wrong = sum(one.tests for one in counts), sum(one.wrong for one in counts)
    earlier = len(compared.runs) - 1
    parts = [
        compared.run.pipeline,
        compared.run.run_id,
        f"{tests:,} test{'' if tests == 1 else 's'}" + (f", {wrong:,} failed" if wrong else ""),
        f"compared with {earlier} earlier run{'' if earlier == 1 else 's'}",
    ]
    return Text(plain_line(f" {dot} ".join(parts)))


def failing_lines(compared: ComparedTests, found: Sequence[Failing]) -> Iterator[Text]:
    """The tests that fail now, each with the run since which it does, and what it says."""
    yield from _section(
        "fails",
        ((one.test, f"since {one.since} ({_runs(one.runs)})", compared.message_of(one.test)) for one in found),
        len(found),
        "red",
    )


def flickering_lines(found: Sequence[Flickering]) -> Iterator[Text]:
    """The tests that passed and failed on the same code."""
    yield from _section(
        "passed and failed on the same code",
        ((one.test, f"failed in {one.failed} of {_runs(one.failed + one.passed)}, last in {one.last}", "") for one in found),
        len(found),
        "yellow",
    )


def slower_lines(found: Sequence[Slower]) -> Iterator[Text]:
    """The tests that got slower."""
    yield from _section(
        "got slower",
        ((one.test, f"{duration(one.seconds)}, before {duration(one.before)}", "") for one in found),
        len(found),
        "yellow",
    )


def _section(title: str, rows: Iterable[tuple[NamedTest, str, str]], count: int, style: str) -> Iterator[Text]:
    yield Text(f"{title}: {f'{count:,}' if count else 'none'}", style if count else "")
    for number, (test, what, message) in enumerate(rows):
        if number == MOST_LISTED:
            yield Text(f"  and {count - MOST_LISTED:,} more; `--json` lists all")
            return
        text = "   ".join(filter(None, (f"{test.stage}  {test.name}", what, message)))
        yield Text(plain_line(f"  {text}"))


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
