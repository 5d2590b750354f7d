"""Which process made what lies on an engine, and whether that process is dead for sure.

A run that was killed leaves containers and volumes. The next run on that engine removes them, but an engine may be shared: by
runs of this process and of others, by other machines, by processes in containers that see other process ids. So an owner is
judged only from where it can be seen, and everything in doubt is left alone: what stays costs space, what goes may be a run.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.labels import OWNER
from dockercise_prefect.runtime.processes import PROC, boot_id, is_over, read, start_of
from dockercise_prefect.runtime.removal import counted, remove_all

_NETWORK = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no other process anywhere ever has the same name.

    Attributes:
        host: the machine's name, or the container's.
        machine: what tells the machine from all others, empty where nothing does.
        boot: one start of the machine, empty where the system does not name it.
        namespace: where the process id counts, empty likewise.
        pid: the process.
        start: when it started, as the system counts.
    """

    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    start: str

    def __str__(self) -> str:
        return "/".join((self.host, self.machine, self.boot, self.namespace, str(self.pid), self.start))

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Read back what `str()` gave; None for a text of another making."""
        host, *rest = text.rsplit("/", 5)
        if len(rest) != 5 or not rest[3].isdecimal():  # noqa: PLR2004  the fields after the host
            return None
        return cls(host, rest[0], rest[1], rest[2], int(rest[3]), rest[4])


def this_process() -> Owner:
    """The process that asks."""
    pid = os.getpid()
    machine = machine_of(read(Path("/etc/machine-id")), _addresses())
    return Owner(socket.gethostname(), machine, boot_id(), _namespace(), pid, start_of(pid) or "")


def machine_of(machine_id: str, addresses: list[str]) -> str:
    """What tells a machine from all others, empty where that is in doubt.

    The id alone does not: cloned machines share it, and so do the containers of an image that holds one. Their network hardware
    has addresses of its own, and a container without the host's network has no hardware.

    Args:
        machine_id: of `/etc/machine-id`.
        addresses: of the network hardware.
    """
    if not machine_id or not addresses:
        return ""
    return hashlib.sha256("\n".join([machine_id, *sorted(addresses)]).encode()).hexdigest()[:16]


def is_dead(owner: str, observer: Owner) -> bool:
    """Whether the owner is dead for sure.

    The machine has been started since, if it is the same machine for sure; or the process has ended, if it was one of this
    start of the machine and its number means the same here.

    Args:
        owner: the label.
        observer: this process.
    """
    other = Owner.parse(owner)
    if other is None or (other.host, other.machine) != (observer.host, observer.machine) or not (other.boot and observer.boot):
        return False
    if other.boot != observer.boot:
        return bool(other.machine)
    return bool(other.namespace) and other.namespace == observer.namespace and is_over(other.pid, other.start)


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


def _addresses() -> list[str]:
    """Of the network hardware; what programs make up, bridges and the like, has no device."""
    return [address for path in _NETWORK.glob("*/device") if (address := read(path.parent / "address"))]


def _namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return ""
