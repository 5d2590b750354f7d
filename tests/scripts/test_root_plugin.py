"""Tests that need root, started by a user who is not root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.environment import ROOT

TESTS = """\
import pytest
from scripts.console import NeedsRootError, SetUpError

@pytest.fixture(scope="module")
def engine():
    raise NeedsRootError("an engine")

@pytest.fixture
def broken():
    raise SetUpError("nothing works", "mend it")

def test_with_an_engine(engine): pass

def test_with_the_same_engine(engine): pass

def test_that_makes_one(): raise NeedsRootError("a second one")

def test_broken(broken): pass

def test_plain(): pass
"""


def test_only_what_needs_root_is_skipped(tmp_path: Path) -> None:
    """A test that needs root, or whose fixture does, is skipped with the reason; anything else that is missing is an error."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.support.suite.root"]\n', encoding="ascii")
    (tmp_path / "test_some.py").write_text(TESTS, encoding="ascii")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "-W", "ignore"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed, 3 skipped, 1 error" in done.stdout, done.stdout + done.stderr
    assert "an engine needs root" in done.stdout
    assert "a second one needs root" in done.stdout
