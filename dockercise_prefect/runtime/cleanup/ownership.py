"""Which process made what lies on an engine, and whether that process is dead for sure.

A run that was killed leaves containers and volumes. The next run on that engine removes them, but an engine may be shared: by
runs of this process and of others, by other machines, by processes in containers that see other process ids. So an owner is
judged only from where it can be seen, and everything in doubt is left alone: what stays costs space, what goes may be a run.

A process in a container of the same engine, as a flow run of a Docker work pool is, cannot be seen from outside, and from
nowhere after its container is gone. The engine can tell: when that start of the container is over, so is all that ran in it.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.runtime.cleanup.labels import OWNER
from dockercise_prefect.runtime.cleanup.processes import PROC, boot_id, is_over, read, start_of
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.engine import Engine

_NETWORK = Path("/sys/class/net")

_MOUNTED = re.compile(r"/([0-9a-f]{64})(?:/userdata)?/(?:hostname|hosts|resolv\.conf) /etc/(?:hostname|hosts|resolv\.conf) ")
"""An engine mounts these files of a container from a folder that has the container's id (proc(5): the root, then the place)."""


@dataclass(frozen=True, slots=True)
class ContainerStart:
    """One start of a container on the engine in question: its id, and when that was."""

    id: str
    since: str

    def __str__(self) -> str:
        return f"container:{self.id}@{self.since}"

    @classmethod
    def parse(cls, text: str) -> ContainerStart | None:
        """Read back what `str()` gave; None for a text of another making."""
        found = re.fullmatch(r"container:([0-9a-f]{64})@(.+)", text)
        return cls(found[1], found[2]) if found else None


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no other process anywhere ever has the same name.

    Attributes:
        host: the machine's name, or the container's; the start of the container where the engine itself runs it.
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


def this_process(engine: Engine) -> Owner:
    """The process that asks.

    Args:
        engine: where it is going to leave things.

    Raises:
        EngineError: the process is in a container, and the engine does not answer whether that is one of its own.
    """
    pid = os.getpid()
    hostname = socket.gethostname()
    container = start_of_container(engine, container_id(read(PROC / "self/mountinfo")), hostname)
    machine = machine_of(read(Path("/etc/machine-id")), _addresses())
    return Owner(str(container or hostname), machine, boot_id(), _namespace(), pid, start_of(pid) or "")


def container_id(mounts: str) -> str:
    """The id of the container that a process is in, empty where it is in none.

    Control groups and host names do not always tell: groups may have a namespace of their own, and with the host's network a
    container has the host's name.

    Args:
        mounts: the process's `/proc/self/mountinfo`.
    """
    ids = set(_MOUNTED.findall(mounts))
    return ids.pop() if len(ids) == 1 else ""


def start_of_container(engine: Engine, container: str, hostname: str) -> ContainerStart | None:
    """The container's present start; None when the engine runs no such container, so that it must be another engine's.

    Args:
        container: its id, or nothing.
        hostname: as it is seen from inside.

    Raises:
        EngineError: the engine does not answer.
    """
    running = engine.running(container) if container else None
    return ContainerStart(container, running.since) if running and running.hostname == hostname else None


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


def is_dead(owner: str, observer: Owner, engine: Engine) -> bool:
    """Whether the owner is dead for sure.

    Its container has ended or been started anew, if the engine ran it in one; the machine has been started since, if it is the
    same machine for sure; or the process has ended, if it was one of this start of the machine and its number means the same
    here.

    Args:
        owner: the label.
        observer: this process.
        engine: where the label is.

    Raises:
        EngineError: the engine does not answer.
    """
    other = Owner.parse(owner)
    if other is None:
        return False
    container = ContainerStart.parse(other.host)
    if container and other.host != observer.host:
        running = engine.running(container.id)
        return running is None or running.since != container.since
    if (other.host, other.machine) != (observer.host, observer.machine) or not (other.boot and observer.boot):
        return False
    if other.boot != observer.boot:
        return bool(other.machine)
    return bool(other.namespace) and other.namespace == observer.namespace and is_over(other.pid, other.start)


def sweep(engine: Engine, observer: Owner, notify: Callable[[str], None]) -> None:
    """Remove what dead owners left on the engine, and say so.

    Raises:
        EngineError: the engine does not answer. That something cannot be removed is only said.
    """
    leftovers = engine.leftovers()
    owners = {leftover.labels.get(OWNER, "") for leftover in leftovers}
    over = {owner for owner in owners if is_dead(owner, observer, engine)}
    dead = [leftover for leftover in leftovers if leftover.labels.get(OWNER, "") in over]
    stuck = remove_all(engine, dead)
    kept = [leftover for leftover, _ in stuck]
    removed = [leftover for leftover in dead if leftover not in kept]
    if removed:
        notify(f"removed what a killed run left on the engine: {counted(removed)}")
    for leftover, error in stuck:
        notify(f"could not remove {leftover.kind} {leftover.id}, which a killed run left on the engine: {error.message}")


def _addresses() -> list[str]:
    """Of the network hardware; what programs make up, bridges and the like, has no device."""
    return [address for path in _NETWORK.glob("*/device") if (address := read(path.parent / "address"))]


def _namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return ""
