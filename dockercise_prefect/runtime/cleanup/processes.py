"""Identifies processes: numbers are reused, so a process is identified by its start time, as the kernel counts it.

The kernel counts clock ticks since the machine's start, which nobody can set, unlike the clock.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def boot_id() -> str:
    """This start of the machine; empty where the system does not name it, as elsewhere than on Linux."""
    return read(PROC / "sys/kernel/random/boot_id")


def start_of(pid: int) -> str | None:
    """When a living process started, in ticks since the machine's start.

    Returns:
        None for a process that is not there, that has ended and waits to be asked how, or that we may not look at.
    """
    return _start_in(_stat(pid))


def is_over(pid: int, start: str) -> bool:
    """Whether a process has ended for sure.

    Processes may be hidden (`hidepid` of `/proc`): one that we cannot look at is over only when the kernel does not know
    its number.

    Args:
        pid: its number.
        start: what `start_of` said of it.
    """
    if stat := _stat(pid):
        return _start_in(stat) != start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def read(path: Path) -> str:
    """A small file's text without white space around it, empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _stat(pid: int) -> str:
    return read(PROC / str(pid) / "stat")


def _start_in(stat: str) -> str | None:
    fields = stat.rpartition(")")[2].split()  # the program's name before it may hold anything
    return fields[19] if fields and fields[0] not in {"Z", "X", "x"} else None
