"""This version reads the records of earlier versions: here one from before stages had files for their outputs, and digests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.registered import registered
from tests.support.command import Command

BEFORE = Path(__file__).parents[1] / "results/before-attempts"
RUN = "20261128T120000Z-7f3a"


@pytest.fixture
def results(tmp_path: Path) -> str:
    """The results of an earlier version."""
    shutil.copytree(BEFORE, tmp_path / "results")
    return str(tmp_path / "results")


def test_it_is_shown(command: Command, results: str) -> None:
    """`show` shows how the run went, and reports no problem in its record."""
    outcome = command("show", RUN, "--json", "--results", results)

    shown = json.loads(outcome.out)
    assert (outcome.status, shown["status"], shown["problems"]) == (0, "failed", [])
    assert {name: entry["status"] for name, entry in shown["stages"].items()} == {
        "build": "passed",
        "check": "failed",
        "publish": "not_started",
        "hush": "passed",
    }


def test_its_log_is_printed(command: Command, results: str) -> None:
    """`logs` prints what a stage printed."""
    assert command("logs", RUN, "check", "--results", results).out == "why\n"


def test_its_files_come_back(command: Command, results: str, tmp_path: Path) -> None:
    """`fetch` brings a stage's files, with modes and links."""
    outcome = command("fetch", RUN, "build", str(tmp_path / "files"), "--results", results)

    assert outcome == (0, "", "")
    assert (tmp_path / "files/link").read_text() == "text\n"
    assert (tmp_path / "files/site/page").stat().st_mode & 0o777 == 0o640


def test_what_a_stage_printed_comes_back(command: Command, results: str) -> None:
    """`fetch --out` prints what a stage printed, and shows the reason if a stage with `noLog` has nothing."""
    arguments = [sys.executable, "-m", "dockercise_prefect", "fetch", "--out", RUN, "build", "--results", results]
    said = subprocess.run(arguments, capture_output=True, check=True)
    quiet = command("fetch", "--out", RUN, "hush", "--results", results)

    assert said.stdout == b"built\n"
    assert "hush has `noLog: true`, so its output is not kept" in quiet.err


def test_deployments_name_the_flow_where_it_was() -> None:
    """Deployments of earlier versions name `dockercise_prefect.orchestration.registered.registered`."""
    assert registered.name == "registered"
