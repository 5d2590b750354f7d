"""The selection of long tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.environment import ROOT

TESTS = """\
import pytest

def test_plain(): pass

@pytest.mark.docker
def test_docker(): pass

@pytest.mark.acceptance
def test_long(): pass
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "2 passed, 1 deselected"),
        (["-m", "not docker"], "1 passed, 2 deselected"),
        (["-m", "acceptance"], "1 passed, 2 deselected"),
        (["-m", "acceptance or docker"], "2 passed, 1 deselected"),
    ],
    ids=["everything", "without an engine", "the long ones", "long ones and those with an engine"],
)
def test_long_tests_run_only_when_asked_for(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """A test marked `acceptance` runs if `-m` names the marker, and not with any other `-m`."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.support.suite.acceptance"]\n', encoding="ascii")
    (tmp_path / "test_some.py").write_text(TESTS, encoding="ascii")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert expected in done.stdout, done.stdout + done.stderr
