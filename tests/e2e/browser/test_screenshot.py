"""The picture in the README can be taken again, in a real browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise

pytestmark = [pytest.mark.docker, pytest.mark.browser]

ROOT = Path(__file__).resolve().parents[3]


def test_the_run_page_shows_every_stage(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """Prefect's UI draws the run and lists its task runs by the names of the stages, and a picture is written."""
    summary = dockercise_run("-C", ROOT / "flows/hello").summary
    picture = tmp_path / "run.png"

    taken = subprocess.run(
        [sys.executable, "-m", "scripts.screenshot", "run", summary["flow_run_url"], str(picture)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert taken.returncode == 0, taken.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert set(summary["stages"]) <= set(taken.stdout.split())
