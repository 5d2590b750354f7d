"""How the tests of a stage are shown: in the page of a run, in the terminal, in Prefect."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.cli.present.tests import count_lines
from dockercise_prefect.orchestration.prefect.artifact_text import MOST_TESTS, run_text, stage_headline, stage_text
from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.report.shown_tests import MOST_OTHERS, ShownTests
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.tests.counts import TestCounts
from dockercise_prefect.results.tests.stage_tests import Case, Outcome, StageTests
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import Recorded

SHOP = Pipeline("shop", [stage("unit", image="bb:1", run="x", junit=["*.xml"])])
CASES = [
    Case("total", "cart", Outcome.FAILED, 1.5, "expected 4, got <3>\ncart.py:12"),
    Case("pays", "cart", Outcome.SKIPPED, None, "no bank"),
    Case("adds", "cart", Outcome.PASSED, 0.2),
]
TESTS = StageTests.of(CASES, ["report.xml"], ["b.xml is left out: it is not complete XML"])
FAILED = StageSummary(StageStatus.FAILED, 1, message="exit code 1", tests=TESTS.counts)
SUMMARY = RunSummary("20261130T000000Z-0000", "shop", RunStatus.FAILED, stages={"unit": FAILED})


def page_of(folder: Path, tests: StageTests) -> str:
    """The page of a run with these tests."""
    run = Recorded(folder, SHOP)
    run.store.keep_tests("unit", tests.to_json())
    run.stage("unit", FAILED)
    return report(run.folder, SHOP, SUMMARY)


def test_the_page_has_failures_first_with_their_texts(tmp_path: Path) -> None:
    """A failed test is open, with its time and its text; what passed is folded; what could not be read is said."""
    page = page_of(tmp_path, TESTS)

    assert '<details class="test failed" open>' in page
    assert "expected 4, got &lt;3&gt;\ncart.py:12" in page
    assert page.index("cart::total") < page.index("2 that passed or were skipped") < page.index("cart::pays")
    assert "b.xml is left out: it is not complete XML" in page
    assert '<a href="unit.tests.json">' in page


def test_the_page_of_many_tests_stays_small(tmp_path: Path) -> None:
    """The page of a stage with 20,000 tests, half of them failed with long texts, has some of them, and counts the others."""
    cases = [
        Case(f"t{number}", "", Outcome.FAILED if number % 2 else Outcome.PASSED, text="x" * 5_000) for number in range(20_000)
    ]

    page = page_of(tmp_path, StageTests.of(cases, [], []))

    assert "9,900 more failed tests" in page.replace("9900", "9,900")
    assert len(page) < 500_000


def test_the_bytes_of_a_stage_are_bounded() -> None:
    """In a run of many stages, each shows fewer tests."""
    tests = StageTests.of([Case(f"t{number}", "", Outcome.PASSED) for number in range(1_000)], [], [])

    assert (len(ShownTests.of(tests, 4_096).others), len(ShownTests.of(tests, 262_144).others)) == (20, MOST_OTHERS)


def test_the_terminal_names_what_failed() -> None:
    """One line for each stage with tests, those with failures first; of many stages, the rest is counted."""
    passed = StageSummary(StageStatus.PASSED, 0, tests=TestCounts(5))
    stages = {f"s{number}": passed for number in range(12)} | {"unit": FAILED, "other": StageSummary(StageStatus.PASSED)}

    lines = [line.plain for line in count_lines(stages)]

    assert lines[0] == "unit: 3 tests, 1 failed, 1 skipped: total"
    assert (len(lines), lines[-1]) == (11, "3 more stages: 15 tests")


def test_prefect_shows_a_table_of_failures() -> None:
    """The artifact of a stage has a table of the failed tests, and the texts in it cannot break the table."""
    tests = StageTests.of([Case("a|b", "", Outcome.FAILED, 1, "no | yes\nmore"), *CASES], [], [])

    text = stage_text("unit", FAILED, [], ["unit.tests.json"], str, tests=tests)

    assert "| failed | a\\|b | 1.0 s | no \\| yes |" in text
    assert "| failed | cart::total | 1.5 s | expected 4, got \\<3\\> |" in text
    assert "| tests | `unit.tests.json` |" in text
    assert stage_headline(FAILED) == "✗ failed: exit code 1 · 3 tests, 1 failed, 1 skipped: total"
    assert "exit code 1 · 3 tests, 1 failed, 1 skipped: total |" in run_text(SUMMARY, SHOP, [], str)


@pytest.mark.parametrize("count", [MOST_TESTS, MOST_TESTS + 3])
def test_prefects_table_is_bounded(count: int) -> None:
    """Of very many failed tests, the table has some, and counts the others."""
    tests = StageTests.of([Case(f"t{number}", "", Outcome.ERROR) for number in range(count)], [], [])

    text = stage_text("unit", FAILED, [], [], str, tests=tests)

    assert text.count("| error |") == MOST_TESTS
    assert ("And 3 more failed tests." in text) == (count > MOST_TESTS)


def test_an_older_summary_has_no_tests() -> None:
    """The entry of a stage without reports has no key for tests, and one with reports comes back the same."""
    assert "tests" not in StageSummary(StageStatus.PASSED).to_json()
    assert StageSummary.from_json(FAILED.to_json()) == FAILED
