"""Identifies processes. Process ids are reused, so a process is also identified by its start time, as the kernel counts it.

The kernel counts clock ticks since the machine's start. Nobody can change that count, unlike the clock.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def boot_id() -> str:
    """The id of this start of the machine; empty if the system has none, for example if it is not Linux."""
    return read(PROC / "sys/kernel/random/boot_id")


def start_of(pid: int) -> str | None:
    """When a living process started, in ticks since the machine's start.

    Returns:
        None if there is no such process, if it has ended but its parent has not yet waited for it, or if we may not look at it.
    """
    return _start_in(_stat(pid))


def is_over(pid: int, start: str) -> bool:
    """Whether a process has ended for sure.

    Processes may be hidden (`hidepid` of `/proc`). A process that we cannot look at is over only if the kernel does not know
    its number.

    Args:
        pid: its number.
        start: what `start_of` returned for it.
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
    """A small file's text without white space around it; empty if the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _stat(pid: int) -> str:
    return read(PROC / str(pid) / "stat")


def _start_in(stat: str) -> str | None:
    fields = stat.rpartition(")")[2].split()  # the program's name, before that, may hold any characters
    return fields[19] if fields and fields[0] not in {"Z", "X", "x"} else None
