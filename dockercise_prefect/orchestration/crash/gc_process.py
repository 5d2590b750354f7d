"""Starts `dockercise gc` after a run, in a process of its own, so that the run does not wait for it."""

from __future__ import annotations

import os
import sys

from dockercise_prefect.orchestration.prefect.child_environment import child_environment
from dockercise_prefect.settings import Settings

COMMAND = ("-m", "dockercise_prefect", "gc")


def start_gc(settings: Settings) -> int:
    """Start it with the same settings and the same Prefect. It prints nothing, and goes on when this process has ended.

    Returns:
        The number of the process.
    """
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    command = [sys.executable, *COMMAND]
    return os.posix_spawn(sys.executable, command, child_environment(settings), file_actions=nowhere, setsid=True)
