"""`runs`: the list of runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.command import Command
from tests.support.recorded_runs import SHOP, Recorded, failed_run, ran, run_id


@pytest.fixture
def results(tmp_path: Path) -> str:
    """A place with four runs: failed, without an end, with a broken summary, and one of another pipeline that passed."""
    folder = tmp_path / "results"
    failed_run(folder, 0)
    Recorded(folder, number=1)
    (Recorded(folder, number=2).folder / "summary.json").write_text("")
    other = Recorded(folder, replace(SHOP, name="other"), number=3)
    other.stage("greet", ran(StageStatus.PASSED, 0, 1))
    other.end(RunStatus.PASSED, seconds=125)
    return str(folder)


def test_runs_are_a_table(command: Command, results: str) -> None:
    """Each run is a line with id, pipeline, status, beginning, duration and the reason if it did not pass, the newest first."""
    broken = f"{results}/shop/{run_id(2)}/summary.json is broken: not JSON (Expecting value: line 1 column 1 (char 0))"

    outcome = command("runs", "--results", results)

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "run                    pipeline  status      started (UTC)        took    why",
        f"{run_id(3)}  other     passed      2026-11-22 19:06:12  2m 05s",
        f"{run_id(2)}  shop      broken      2026-11-22 19:05:12          {broken}",
        f"{run_id(1)}  shop      unfinished  2026-11-22 19:04:12          running, or interrupted",
        f"{run_id(0)}  shop      failed      2026-11-22 19:03:12  2.0 s   check (exit code 1)",
    ]


def test_json_has_the_same(command: Command, results: str) -> None:
    """For programs an array of objects in the same order is printed."""
    printed = json.loads(command("runs", "--results", results, "--json").out)

    assert [one["status"] for one in printed] == ["passed", "broken", "unfinished", "failed"]
    assert printed[3] == {
        "run_id": run_id(0),
        "pipeline": "shop",
        "status": "failed",
        "started": "2026-11-22T19:03:12+00:00",
        "finished": "2026-11-22T19:03:14+00:00",
        "reasons": ["check (exit code 1)"],
        "results": f"file://{results}/shop/{run_id(0)}",
    }
    assert (printed[2]["finished"], printed[2]["reasons"]) == (None, [])


def test_a_limit_says_that_there_are_more(command: Command, results: str) -> None:
    """Only the newest runs are listed, and stderr shows how many there are."""
    outcome = command("runs", "--results", results, "--limit", "1")

    assert [line.split()[0] for line in outcome.out.splitlines()[1:]] == [run_id(3)]
    assert outcome.err == "1 of 4 runs; `--limit` shows more\n"


def test_a_pipeline_is_named_or_is_in_a_folder(command: Command, results: str, tmp_path: Path) -> None:
    """`--pipeline` and `--root` both keep the runs of one pipeline; the folder's pipeline may have any name."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.dockercise.yaml").write_text("meta: {name: other}\na: {img: x, after: elsewhere}\n")

    for which in (["--pipeline", "other"], ["-C", str(tmp_path / "code")]):
        outcome = command("runs", "--results", results, *which)
        assert [line.split()[1] for line in outcome.out.splitlines()[1:]] == ["other"]

    assert command("runs", "--results", results, "--pipeline", "x", "-C", ".").status == ExitStatus.WRONG_INPUT
    unknown = command("runs", "--results", results, "--pipeline", "othr")
    assert (unknown.status, unknown.err.partition("hint: ")[2]) == (ExitStatus.WRONG_INPUT, "did you mean `other`?\n")


def test_the_setting_says_where(command: Command, results: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--results` the runs are read from the place where `run` puts them."""
    monkeypatch.setenv("DOCKERCISE_RESULTS", results)

    assert command("runs").out == command("runs", "--results", results).out


def test_no_run_is_no_error(command: Command, tmp_path: Path) -> None:
    """Without any runs, `runs` says so, and `runs --json` prints an empty array."""
    text = command("runs", "--results", "nowhere")
    data = command("runs", "--results", "nowhere", "--json")

    assert (text.status, text.out, text.err) == (0, "", f"there is no run in {tmp_path}/nowhere\n")
    assert (data.status, data.out) == (0, "[]\n")


@pytest.mark.parametrize("place", ["ftp://x/y", "file://host/x", " "])
def test_a_place_that_there_is_not(command: Command, place: str) -> None:
    """A place of an unknown kind is wrong usage."""
    assert command("runs", "--results", place).status == ExitStatus.WRONG_INPUT
