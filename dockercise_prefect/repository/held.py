"""Locks between processes, which the programs that they start hold with them.

filelock, which locks elsewhere here, keeps its descriptor to itself, so that a git that outlives us would not hold it.
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


class HeldError(Exception):
    """Another process holds the lock, and did so for as long as we were ready to wait."""


@contextmanager
def held(path: Path, patience: float) -> Iterator[int]:
    """A lock that nobody else has while the body runs, other threads of this process neither.

    A process that dies lets go of it, but for a program that was given the descriptor: then that program's end does.

    Args:
        path: its file, made when needed; whoever holds the lock may remove it.
        patience: seconds to wait for it.

    Returns:
        Its file descriptor.

    Raises:
        HeldError: another has it.
        OSError: the file cannot be made.
    """
    until = time.monotonic() + patience
    while (handle := _taken(path)) is None:
        if time.monotonic() >= until:
            raise HeldError
        time.sleep(_PAUSE)
    try:
        yield handle
    finally:
        # Also for what goes on in the background with a copy of it, as credential helpers do.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _taken(path: Path) -> int | None:
    with ExitStack() as stack:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, handle)
        with suppress(BlockingIOError, FileNotFoundError):  # held; or removed by whoever held it until now
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                stack.pop_all()
                return handle
    return None
