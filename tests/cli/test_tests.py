"""`tests`: which tests fail, which flicker, which got slower."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.tests.stage_tests import Case, Outcome, StageTests
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.command import Command
from tests.support.recorded_runs import Recorded, ran, run_id

SHOP = Pipeline("shop", [stage("test(3.12,pg)", image="bb:1", run="x", junit=["*.xml"]), stage("lint", image="bb:1", run="x")])
UNIT = "test(3.12,pg)"


def run_with(results: Path, number: int, *cases: Case, code: str | None = None) -> Recorded:
    """A run whose first stage has these tests."""
    run = Recorded(results, SHOP, number)
    tests = StageTests.of(cases, ["r.xml"], [])
    run.store.keep_tests(UNIT, tests.to_json())
    run.stage(UNIT, replace(ran(StageStatus.PASSED, 0, 1), tests=tests.counts))
    run.stage("lint", ran(StageStatus.PASSED, 0, 1))
    run.end(RunStatus.PASSED)
    summary = json.loads((run.folder / "summary.json").read_text())
    (run.folder / "summary.json").write_text(json.dumps({**summary, "code_digest": code}))
    return run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Ten runs: `total` fails in the last two, `net` failed once on the code of another run, `big` got slower."""
    for number in range(10):
        run_with(
            tmp_path,
            number,
            Case("total", "cart", Outcome.FAILED if number > 7 else Outcome.PASSED, 0.1, "expected 4\n\x1b[31mred"),
            Case("net", "", Outcome.FAILED if number == 4 else Outcome.PASSED, 0.1),
            Case("big", "", Outcome.PASSED, 4.0 if number > 6 else 1.0),
            code="sha256:aa" if number in {4, 5} else f"sha256:{number}",
        )
    return tmp_path


def test_all_three_lists(command: Command, results: Path) -> None:
    """What fails now and since when, what flickers, and what got slower, in one page."""
    outcome = command("tests", "--results", str(results))

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"shop · {run_id(9)} · 3 tests, 1 failed · compared with 9 earlier runs",
        "fails: 1",
        f"  {UNIT}  cart::total   since {run_id(8)} (2 runs)   expected 4",
        "passed and failed on the same code: 1",
        f"  {UNIT}  net   failed in 1 of 10 runs, last in {run_id(4)}",
        "got slower: 1",
        f"  {UNIT}  big   4.0 s, before 1.0 s",
    ]


@pytest.mark.parametrize(("option", "title"), [("--flaky", "passed and failed"), ("--slow", "got slower")])
def test_one_list_alone(command: Command, results: Path, option: str, title: str) -> None:
    """An option shows its list alone."""
    lines = command("tests", option, "--results", str(results), "--pipeline", "shop").out.splitlines()

    assert (len(lines), lines[1].startswith(title)) == (3, True)


def test_an_earlier_run(command: Command, results: Path) -> None:
    """A run that is named is compared with the runs before it, and no more of them than the option says."""
    outcome = command("tests", run_id(4), "--runs", "2", "--results", str(results))

    assert outcome.out.splitlines()[:3] == [
        f"shop · {run_id(4)} · 3 tests, 1 failed · compared with 2 earlier runs",
        "fails: 1",
        f"  {UNIT}  net   since {run_id(4)} (1 run)",
    ]


def test_json_has_everything(command: Command, results: Path) -> None:
    """`--json` prints all three lists for programs, with times in seconds."""
    found = json.loads(command("tests", "--json", "--results", str(results)).out)

    assert found["failing"] == [
        {
            "stage": UNIT,
            "name": "cart::total",
            "outcome": "failed",
            "since": run_id(8),
            "runs": 2,
            "message": "expected 4",
        }
    ]
    assert found["flaky"] == [{"stage": UNIT, "name": "net", "failed": 1, "passed": 9, "last_failed": run_id(4)}]
    assert found["slow"] == [{"stage": UNIT, "name": "big", "seconds": 4.0, "before": 1.0}]
    assert len(found["compared_with"]) == 9


def test_runs_without_reports(command: Command, tmp_path: Path) -> None:
    """Without any report, a note says how a stage gets one."""
    run = Recorded(tmp_path, SHOP)
    run.end()

    outcome = command("tests", "--results", str(tmp_path))

    assert outcome.status == 0
    assert outcome.err == "note: no stage has test reports; `junit: report.xml` in a stage says where they are\n"
    assert outcome.out.splitlines()[1:] == ["fails: none", "passed and failed on the same code: none", "got slower: none"]


def test_a_broken_file_hides_nothing(command: Command, results: Path) -> None:
    """If the tests of one run cannot be read, a note says so, and the others count."""
    (results / "shop" / run_id(8) / f"{UNIT}.tests.json").write_text("{")

    outcome = command("tests", "--results", str(results))

    assert outcome.err.startswith("note: ")
    assert f"{UNIT}.tests.json is broken: not JSON" in outcome.err
    assert f"since {run_id(9)} (1 run)" in outcome.out


def test_many_are_counted(command: Command, tmp_path: Path) -> None:
    """Of very many failures, thirty are listed."""
    run_with(tmp_path, 0, *(Case(f"t{number:04}", "", Outcome.FAILED) for number in range(100)))

    lines = command("tests", "--results", str(tmp_path)).out.splitlines()

    assert lines[1] == "fails: 100"
    assert lines[32] == "  and 70 more; `--json` lists all"
