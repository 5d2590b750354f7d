"""Lets tests share one engine. A test that is marked `alone` is the only one that uses it.

Any run removes what a dead run has left on the engine. So while a test checks such leftovers, no other run may be active. A
file lock ensures this. All processes of pytest-xdist use it, and it ends with its process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.prefect.prefect_server import DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait until the engine is free for the test and its fixtures."""
    if item.get_closest_marker("docker") is None:
        return (yield)
    turn = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    data = Path(os.environ[DATA])
    with (data / "queue.lock").open("w") as queue, (data / "turns.lock").open("w") as turns:
        # A test that waits for its turn keeps the others in the queue. Otherwise, a test that must be alone could starve.
        fcntl.flock(queue, fcntl.LOCK_EX)
        fcntl.flock(turns, turn)
        fcntl.flock(queue, fcntl.LOCK_UN)
        return (yield)
