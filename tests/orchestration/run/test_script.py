"""A compiled module that is run as a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FLOW = Path(__file__).parents[3] / "flows" / "hello.py"


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FLOW), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_help_is_shown_and_nothing_runs(tmp_path: Path) -> None:
    """`--help` says what the script takes, with status 0."""
    ended = _run(tmp_path, "--help")

    assert ended.returncode == 0
    assert "STAGE" in ended.stdout
    assert "dockercise run" in ended.stdout


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    """An option is not a stage: it is refused with status 2 before anything is started."""
    ended = _run(tmp_path, "--jobs", "3")

    assert ended.returncode == 2
    assert "unrecognized arguments: --jobs" in ended.stderr
