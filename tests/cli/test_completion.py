"""Completion in shells, called as the scripts of click call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.recorded_runs import Recorded, run_id

PIPELINE = "build: {img: x, run: make}\nbundle: {img: x, run: make, after: build}\ntest: {img: x, run: make}\n"


def _completed(folder: Path, words: str) -> list[str]:
    """The words that bash would offer for the last word."""
    environment = {
        **os.environ,
        "_DOCKERCISE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "DOCKERCISE_DATA": str(folder / "data"),
        "DOCKERCISE_RESULTS": str(folder / "results"),
    }
    command = [sys.executable, "-m", "dockercise_prefect"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(command: Command, shell: str) -> None:
    """The script for a shell names the command and the variable that the script sets."""
    outcome = command("completion", shell)

    assert (outcome.status, outcome.err) == (0, "")
    assert f"_DOCKERCISE_COMPLETE={shell}_complete" in outcome.out


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    """The beginning of a command or an option is completed to the existing ones."""
    assert _completed(tmp_path, "dockercise reg") == ["register"]
    assert _completed(tmp_path, "dockercise run --fail") == ["--fail-fast", "--fail-on-miss"]


def test_stages_are_completed(tmp_path: Path) -> None:
    """`run` and `explain` complete the stages of the pipeline in this folder, and nothing if the pipeline is broken."""
    file = tmp_path / "a.dockercise.yaml"
    file.write_text(PIPELINE)

    whole = _completed(tmp_path, "dockercise run bu"), _completed(tmp_path, "dockercise explain ")
    file.write_text("a: [")
    broken = _completed(tmp_path, "dockercise run b")

    assert whole == (["build", "bundle"], ["build", "bundle", "test"])
    assert broken == []


def test_instances_are_completed(tmp_path: Path) -> None:
    """A stage with a matrix is completed, and each of its instances, as bash asks for them inside quotes."""
    (tmp_path / "a.dockercise.yaml").write_text("test: {img: x, matrix: {a: [1, 2]}}\n")

    assert _completed(tmp_path, "dockercise run te") == ["test", "test(1)", "test(2)"]
    assert _completed(tmp_path, "dockercise run 'test(") == ["test(1)", "test(2)"]


def test_runs_are_completed(tmp_path: Path) -> None:
    """`show` and `logs` complete `last` and the ids of runs."""
    Recorded(tmp_path / "results", number=1)

    assert _completed(tmp_path, "dockercise show ") == ["last", run_id(1)]
    assert _completed(tmp_path, "dockercise logs 2026") == [run_id(1)]
