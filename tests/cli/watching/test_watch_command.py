"""`dockercise watch` as a process, as far as it needs no engine: no round begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockercise_prefect.cli.watching.words import WAITING
from tests.support.running_command import PATIENCE, running, until


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-C", "none"], 2, "none is not a folder"),
        ([], 4, "nothing to do: no *.dockercise.yaml below"),
        (["./here"], 2, "`./here` is not a stage: `watch` expects the names of stages"),
    ],
)
def test_what_cannot_work_ends_at_once(arguments: list[str], status: int, message: str, tmp_path: Path) -> None:
    """The message says why, and nothing is waited for."""
    command = [sys.executable, "-m", "dockercise_prefect", "watch", *arguments]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == status
    assert message in done.stderr
    assert done.stdout == ""


def test_findings_are_shown_until_it_is_ended(tmp_path: Path) -> None:
    """Each change shows those of now; SIGTERM ends the command as Ctrl-C does."""
    file = tmp_path / "shop.dockercise.yaml"
    file.write_text("build: {oops: 1}\n")

    with running(tmp_path, dict(os.environ), "watch") as (process, lines):
        first = until(lines, "unknown key")
        until(lines, WAITING)
        file.write_text("build: {ouch: 1}\n")
        until(lines, "shop.dockercise.yaml changed\n")
        second = until(lines, "unknown key")
        until(lines, WAITING)
        file.unlink()
        until(lines, "nothing to do")
        until(lines, WAITING)
        process.terminate()
        status = process.wait(PATIENCE)

    assert "`oops`" in first
    assert "`ouch`" in second
    assert status == 130
