"""The lines about the tests of a run, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.text import Text

from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.results.summary import StageSummary

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
