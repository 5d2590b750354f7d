"""The page about test reports: its pipeline reports what the page shows, and its messages and limits are the real ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from dockercise_prefect.results.tests import junit, reports, stage_tests
from dockercise_prefect.results.tests.junit import cases_of
from dockercise_prefect.results.tests.stage_tests import StageTests
from tests.compiler.sources import compiled
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


def test_the_limits_are_the_real_ones() -> None:
    """The page has the limits of the code."""
    sizes = f"may have {reports.LARGEST // 2**20} MiB and {junit.MOST_ELEMENTS:,} elements"
    of_a_stage = f"a stage {reports.MOST_REPORTS:,} reports with {reports.MOST_BYTES // 2**20} MiB together"
    kept = f"{stage_tests.MOST_CASES:,} tests of a stage, failures first, with at most {stage_tests.LONGEST_TEXT:,} characters"

    for limit in (sizes, of_a_stage, kept):
        assert limit in " ".join(PAGE.split())
