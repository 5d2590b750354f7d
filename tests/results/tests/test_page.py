"""The page about test reports: its pipeline reports what the page shows, and its messages and limits are the real ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from dockercise_prefect.cli.tests import RUNS
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.tests import comparison, junit, reports, stage_tests
from dockercise_prefect.results.tests.junit import cases_of
from dockercise_prefect.results.tests.stage_tests import Case, Outcome, StageTests
from dockercise_prefect.status import RunStatus, StageStatus
from tests.compiler.sources import compiled
from tests.support.command import Command
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/tests.md").read_text()


def test_the_pipeline_reports_what_is_shown(tmp_path: Path) -> None:
    """The script of the page writes a report whose tests are those of the page, in the terminal and in the record."""
    (source,) = blocks(PAGE, "yaml")
    unit = compiled(a=source).by_name["unit"]
    assert unit.run is not None

    done = subprocess.run(["/bin/sh", "-ec", unit.run], env={"OUT": str(tmp_path)}, check=False)

    tests = StageTests.of(cases_of((tmp_path / "report.xml").read_bytes()), unit.junit, [])
    (shown,) = blocks(PAGE, "json")
    assert done.returncode == 1
    assert tests.to_json().decode() == shown
    assert StageTests.from_json(json.loads(shown)) == tests
    assert f"\nunit: {tests.counts.words}\n" in PAGE


def test_the_rules_are_the_real_ones() -> None:
    """The rule for slow tests, and how many runs are read, are those of the code."""
    rule = f"last {comparison.NEWEST} times have a median of at least {comparison.SLOWER_FACTOR} times that of up to"
    rest = (
        f"{comparison.EARLIER} times before, and at least {comparison.SLOWER_SECONDS} s more. There must be {comparison.FEWEST}"
    )

    assert f"{rule} {rest}" in PAGE
    assert f"with the {RUNS} runs before it" in PAGE


def test_the_command_prints_what_is_shown(tmp_path: Path, command: Command) -> None:
    """Ten runs like those of the page give the lines of the page."""
    unit = Pipeline("shop", [stage("unit", image="x", run="x", junit=["*.xml"])])
    (shown,) = blocks(PAGE, "console")
    line, _, expected = shown.partition("\n")
    for number in range(10):
        cases = [
            Case("total", "cart", Outcome.FAILED if number > 7 else Outcome.PASSED, 1.5, "expected 4, got 3"),
            Case("pays", "cart", Outcome.FAILED if number == 4 else Outcome.PASSED, 0.1),
            Case("adds", "cart", Outcome.PASSED, 4.0 if number > 6 else 1.0),
        ]
        tests = StageTests.of(cases, [], [])
        run_id = f"20261130T{number + 3:02}0000Z-{number:04}"
        store = LocalStore(tmp_path, "shop", run_id)
        store.start(to_json(unit))
        store.keep_tests("unit", tests.to_json())
        ended = {"unit": StageSummary(StageStatus.PASSED, tests=tests.counts)}
        code = "sha256:aa" if number in {4, 5} else f"sha256:{number}"
        store.finish(RunSummary(run_id, "shop", RunStatus.PASSED, code_digest=code, stages=ended))

    outcome = command(*line.removeprefix("$ dockercise ").split(), "--results", str(tmp_path))

    assert outcome.out == expected


def test_the_limits_are_the_real_ones() -> None:
    """The page has the limits of the code."""
    sizes = f"may have {reports.LARGEST // 2**20} MiB and {junit.MOST_ELEMENTS:,} elements"
    of_a_stage = f"a stage {reports.MOST_REPORTS:,} reports with {reports.MOST_BYTES // 2**20} MiB together"
    kept = f"{stage_tests.MOST_CASES:,} tests of a stage, failures first, with at most {stage_tests.LONGEST_TEXT:,} characters"

    for limit in (sizes, of_a_stage, kept):
        assert limit in " ".join(PAGE.split())
