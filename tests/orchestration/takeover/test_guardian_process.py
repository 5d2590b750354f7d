"""The process of a guardian: what it does while it waits, and when its input ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dockercise_prefect.orchestration.guard.guardian import COMMAND
from dockercise_prefect.orchestration.guard.message import Told
from dockercise_prefect.orchestration.guard.words import BYE, DONE, READY
from dockercise_prefect.orchestration.takeover.guardian_process import TROUBLE
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.runtime.stage.environment import Outside

PATIENCE = 120.0


@pytest.fixture
def guardian() -> Iterator[subprocess.Popen[str]]:
    """A guardian that has been told nothing yet."""
    command = [sys.executable, *COMMAND]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def told(folder: Path) -> Told:
    """What a run tells."""
    return Told(
        folder=str(folder),
        flow_run_id="00000000-0000-0000-0000-000000000000",
        attempt=1,
        lease=None,
        worker=None,
        environment=dict(os.environ) | {"DOCKERCISE_JOBS": "hush-hush", "TOKEN": "hush-hush"},
        pipeline=Pipeline("p", [stage("a", image="i", run="true", env={"WORD": "two\nlines \ud800"})]),
        targets=["a"],
        outside=Outside({"a": {"TOKEN": "hush-hush"}}, {"a": ["TOKEN"]}),
    )


def say(process: subprocess.Popen[str], line: str) -> str:
    """Say a line, and return the answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n")


def test_what_is_told_comes_back(tmp_path: Path) -> None:
    """One line of JSON has everything, whatever characters are in it."""
    before = told(tmp_path)

    text = before.to_json()

    assert "\n" not in text
    assert Told.from_json(text) == before


def test_it_goes_when_the_run_has_ended(guardian: subprocess.Popen[str], tmp_path: Path) -> None:
    """It does nothing, and heeds no signal meanwhile. It has not loaded Prefect, so it is small."""
    assert say(guardian, told(tmp_path).to_json()) == READY
    guardian.send_signal(signal.SIGTERM)
    guardian.send_signal(signal.SIGINT)
    loaded = {Path(each.path).parts for each in psutil.Process(guardian.pid).memory_maps()}

    assert say(guardian, DONE) == BYE
    assert guardian.wait(PATIENCE) == 0
    assert not [parts for parts in loaded if "pydantic_core" in parts]
    assert list(tmp_path.iterdir()) == []


def test_it_goes_when_nobody_tells_it_anything(guardian: subprocess.Popen[str]) -> None:
    """The run has died before it could."""
    guardian.communicate(timeout=PATIENCE)

    assert guardian.returncode == 0


def test_its_own_failure_is_noted_without_texts(guardian: subprocess.Popen[str], tmp_path: Path) -> None:
    """If it cannot finish the run, a file in the record says where it failed. It has no text of the error."""
    say(guardian, told(tmp_path).to_json())

    guardian.communicate(timeout=PATIENCE)

    noted = (tmp_path / TROUBLE).read_text()
    assert guardian.returncode == 1
    assert noted.startswith("UsageError\n")
    assert "read_settings" in noted
    assert "hush" not in noted
