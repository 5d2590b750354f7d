"""Tests side by side on one engine: those that are marked `alone` have it for themselves.

Any run removes what a dead one has left on the engine, so a test that looks at that must have no run beside it. The turns
are taken through a file's lock, which other processes of pytest-xdist take too, and which ends with its process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.prefect_server import DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait until the engine is free for the test, with all that its fixtures do."""
    if item.get_closest_marker("docker") is None:
        return (yield)
    turn = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with (Path(os.environ[DATA]) / "turns.lock").open("w") as file:
        fcntl.flock(file, turn)
        return (yield)
