"""Locks that end with the process that holds them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dockercise_prefect.repository.file_lock import LockTimeoutError, file_lock

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from dockercise_prefect.repository.file_lock import file_lock
with file_lock(Path(sys.argv[1]), 0) as lock:
    print(subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=(lock,)).pid, flush=True)
    time.sleep(600)
"""


def test_nobody_else_has_a_lock_that_is_held(tmp_path: Path) -> None:
    """No other thread or process gets a lock in use; the next one gets it, even if its file was removed meanwhile."""
    path = tmp_path / "lock"

    with file_lock(path, 0):
        with pytest.raises(LockTimeoutError), file_lock(path, 0):
            pass
        path.unlink()
    with file_lock(path, 0):
        there = path.exists()

    assert there


def test_a_program_that_outlives_its_killed_parent_keeps_the_lock(tmp_path: Path) -> None:
    """If a git goes on after its worker was killed, others wait for it."""
    path = tmp_path / "lock"
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    assert parent.stdout.readline()

    parent.kill()
    parent.wait()

    with pytest.raises(LockTimeoutError), file_lock(path, 0):
        pass
    parent.stdin.close()  # the program waits for this
    with file_lock(path, 30):
        pass
    parent.stdout.close()
