"""Which process made what lies on an engine, and whether that process is dead for sure.

A run that was killed leaves containers and volumes. The next run on that engine removes them, but an engine may be shared: by
runs of this process and of others, by other machines, by processes in containers that see other process ids. So an owner is
judged only from where it can be seen, and everything in doubt is left alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.labels import OWNER
from dockercise_prefect.runtime.removal import counted, remove_all

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no other process anywhere ever has the same name.

    Attributes:
        host: the machine: its name and the identity its system was installed with.
        boot: one start of the machine.
        namespace: where the process id counts.
        pid: the process.
        start: when it started, as the system counts.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    start: str

    def __str__(self) -> str:
        return "/".join((self.host, self.boot, self.namespace, str(self.pid), self.start))

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Read back what `str()` gave; None for a text of another making."""
        host, *rest = text.rsplit("/", 4)
        if len(rest) != 4 or not rest[2].isdecimal():  # noqa: PLR2004  the fields after the host
            return None
        return cls(host, rest[0], rest[1], int(rest[2]), rest[3])


def this_process() -> Owner:
    """The process that asks."""
    pid = os.getpid()
    boot = _read(_PROC / "sys/kernel/random/boot_id")
    return Owner(_host(), boot, _namespace(), pid, _start_of(pid) or "")


def is_dead(owner: str, observer: Owner) -> bool:
    """Whether the owner is dead for sure.

    Args:
        owner: the label.
        observer: this process.
    """
    other = Owner.parse(owner)
    if other is None or other.host != observer.host:
        return False
    if other.boot != observer.boot:
        return True
    return other.namespace == observer.namespace and _start_of(other.pid) != other.start


def sweep(engine: Engine, observer: Owner, notify: Callable[[str], None]) -> None:
    """Remove what dead owners left on the engine, and say so.

    Raises:
        EngineError: the engine does not answer. That something cannot be removed is only said.
    """
    dead = [leftover for leftover in engine.leftovers() if is_dead(leftover.labels.get(OWNER, ""), observer)]
    stuck = remove_all(engine, dead)
    kept = [leftover for leftover, _ in stuck]
    removed = [leftover for leftover in dead if leftover not in kept]
    if removed:
        notify(f"removed what a run that was killed left on the engine: {counted(removed)}")
    for leftover, error in stuck:
        notify(
            f"could not remove {leftover.kind} {leftover.id}, which a run that was killed left on the engine: {error.message}"
        )


def _host() -> str:
    return "-".join(part for part in (socket.gethostname(), _read(Path("/etc/machine-id"))[:12]) if part)


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").stat().st_ino)
    except OSError:  # no Linux: there is one namespace
        return "0"


def _start_of(pid: int) -> str | None:
    """When the process started, None when there is no such process or nothing but its exit status is left of it."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        # On Linux the kernel's own count: psutil's is in seconds of a clock that may be set.
        stat = _read(_PROC / str(pid) / "stat")
        return stat.rpartition(")")[2].split()[19] if stat else f"{process.create_time():.0f}"
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
