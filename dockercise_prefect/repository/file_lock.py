"""A lock file between processes. Programs that a process starts can share its lock.

The package filelock, used elsewhere, hides its file descriptor, so a git process that outlives us could not keep the lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_PAUSE = 0.05
"""Seconds until the lock is tried again."""


class LockTimeoutError(Exception):
    """Another process held the lock during the whole waiting time."""


@contextmanager
def file_lock(path: Path, patience: float) -> Iterator[int]:
    """Hold an exclusive lock while the body runs, also against other threads of this process.

    If the process dies, the lock is released, unless a program has inherited the descriptor: then its end releases it.

    Args:
        path: the lock file, created if missing; the holder of the lock may remove it.
        patience: seconds to wait for the lock.

    Returns:
        The file descriptor of the lock file.

    Raises:
        LockTimeoutError: another process still holds the lock.
        OSError: the file cannot be created.
    """
    until = time.monotonic() + patience
    while (handle := _taken(path)) is None:
        if time.monotonic() >= until:
            raise LockTimeoutError
        time.sleep(_PAUSE)
    try:
        yield handle
    finally:
        # This also unlocks the copies of the descriptor that background processes hold, for example credential helpers.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _taken(path: Path) -> int | None:
    with ExitStack() as stack:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, handle)
        with suppress(BlockingIOError, FileNotFoundError):  # locked by another process, or removed by the last holder
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                stack.pop_all()
                return handle
    return None
