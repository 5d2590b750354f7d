"""Which process made a thing on an engine, and whether that process is dead for sure.

A run that was killed leaves containers and volumes. The next run on that engine removes them. But an engine may be shared: by
runs of this process and of others, by other machines, by processes in containers that see other process ids. So an owner is
judged only by a process that can see it, and everything in doubt is left alone: a thing that is left only costs space, but a
thing that is removed may belong to a run that is alive.

A process in a container of the same engine, for example a flow run of a Docker work pool, cannot be seen from outside the
container, and after the container is gone it cannot be seen from anywhere. But the engine knows the container: when that start
of the container is over, everything that ran in it is over too.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from dockercise_prefect.runtime.cleanup.labels import AFTER_CRASH, FLOW_RUN, OWNER, RUN
from dockercise_prefect.runtime.cleanup.processes import PROC, boot_id, is_over, read, start_of
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.engine import Engine, Leftover

_NETWORK = Path("/sys/class/net")

_MOUNTED = re.compile(r"/([0-9a-f]{64})(?:/userdata)?/(?:hostname|hosts|resolv\.conf) /etc/(?:hostname|hosts|resolv\.conf) ")
"""An engine mounts these files of a container from a folder whose name is the container's id.

proc(5): the root of the mount comes first, then the mount point.
"""


@dataclass(frozen=True, slots=True)
class ContainerStart:
    """One start of a container on the engine in question: the container's id, and the time of the start."""

    id: str
    since: str

    def __str__(self) -> str:
        return f"container:{self.id}@{self.since}"

    @classmethod
    def parse(cls, text: str) -> ContainerStart | None:
        """Parse the result of `str()`; None for any other text."""
        found = re.fullmatch(r"container:([0-9a-f]{64})@(.+)", text)
        return cls(found[1], found[2]) if found else None


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no other process anywhere ever has the same name.

    Attributes:
        host: the name of the machine or of the container; if the engine itself runs the container, the container's start.
        machine: what distinguishes the machine from all others; empty if nothing does.
        boot: one start of the machine; empty if the system does not name it.
        namespace: the namespace that the process id belongs to; empty if the system does not name it.
        pid: the process id.
        start: when the process started, as the system counts.
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
        """Parse the result of `str()`; None for any other text."""
        host, *rest = text.rsplit("/", 5)
        if len(rest) != 5 or not rest[3].isdecimal():  # noqa: PLR2004  the fields after the host
            return None
        return cls(host, rest[0], rest[1], rest[2], int(rest[3]), rest[4])


def this_process(engine: Engine | None) -> Owner:
    """The process that calls this.

    Args:
        engine: the engine on which the process is going to make things; None if no engine is asked. Then a process in a
            container has the name of the container's host.

    Raises:
        EngineError: the process is in a container, and the engine does not answer whether it runs that container.
    """
    pid = os.getpid()
    hostname = socket.gethostname()
    container = start_of_container(engine, container_id(read(PROC / "self/mountinfo")), hostname) if engine else None
    machine = machine_of(read(Path("/etc/machine-id")), _addresses())
    return Owner(str(container or hostname), machine, boot_id(), _namespace(), pid, start_of(pid) or "")


def parent_of_this_process(engine: Engine) -> Owner | None:
    """The process that has started this one; None for the first process of a container.

    Raises:
        EngineError: see `this_process`.
    """
    parent = os.getppid()
    return replace(this_process(engine), pid=parent, start=start_of(parent) or "") if parent else None


def container_id(mounts: str) -> str:
    """The id of the container that a process is in; empty if it is not in a container.

    Control groups and host names do not always show it: control groups may have a namespace of their own, and a container
    with the host's network has the host's name.

    Args:
        mounts: the process's `/proc/self/mountinfo`.
    """
    ids = set(_MOUNTED.findall(mounts))
    return ids.pop() if len(ids) == 1 else ""


def start_of_container(engine: Engine, container: str, hostname: str) -> ContainerStart | None:
    """The container's present start.

    None if the engine runs no such container: then it must be a container of another engine.

    Args:
        container: its id, or empty.
        hostname: the host name that processes in the container see.

    Raises:
        EngineError: the engine does not answer.
    """
    running = engine.running(container) if container else None
    return ContainerStart(container, running.since) if running and running.hostname == hostname else None


def machine_of(machine_id: str, addresses: list[str]) -> str:
    """What distinguishes a machine from all others; empty if that is in doubt.

    The id alone is not enough: cloned machines have the same id, and so have the containers of an image that holds an id.
    The network hardware of cloned machines has different addresses. A container without the host's network has no network
    hardware.

    Args:
        machine_id: of `/etc/machine-id`.
        addresses: of the network hardware.
    """
    if not machine_id or not addresses:
        return ""
    return hashlib.sha256("\n".join([machine_id, *sorted(addresses)]).encode()).hexdigest()[:16]


def is_dead(owner: str, observer: Owner, engine: Engine) -> bool:
    """Whether the owner is dead for sure.

    It is dead in any of these cases:

    - the engine ran it in a container, and that container has ended or has been started again;
    - it ran on this machine for sure, and the machine has been restarted since;
    - it ran since the machine's last start, its process id means the same here, and the process has ended.

    Args:
        owner: the label.
        observer: this process.
        engine: the engine that has the labelled thing.

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
    return sight(owner, observer) is Sight.DEAD


class Sight(Enum):
    """What a process can see of another one, without asking an engine."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


def sight(owner: str, observer: Owner) -> Sight:
    """Whether the owner is dead or alive for sure, as far as this process can see it without an engine.

    Args:
        owner: the label.
        observer: this process.
    """
    other = Owner.parse(owner)
    if other is None or not (other.boot and observer.boot):
        return Sight.UNKNOWN
    if (other.host, other.machine) != (observer.host, observer.machine):
        return Sight.UNKNOWN
    if other.boot != observer.boot:
        return Sight.DEAD if other.machine else Sight.UNKNOWN
    if not other.namespace or other.namespace != observer.namespace:
        return Sight.UNKNOWN
    return Sight.DEAD if is_over(other.pid, other.start) else Sight.ALIVE


def seen_together(owners: Iterable[str | None], sight: Callable[[str], Sight]) -> Sight:
    """Whether a run is dead or alive that these processes look after: it is alive while one of them is.

    Args:
        owners: their labels; None for a process that does not exist.
        sight: what can be seen of one of them.
    """
    seen = {sight(owner) for owner in owners if owner is not None}
    return next((one for one in (Sight.ALIVE, Sight.UNKNOWN) if one in seen), Sight.DEAD)


def ownerless(engine: Engine, observer: Owner, flow_runs: Collection[str] = ()) -> list[Leftover]:
    """What dead runs left on the engine. A run is dead if every process is that owns something of it.

    Args:
        engine: the engine to look through.
        observer: this process.
        flow_runs: the ids of flow runs whose owners are known to be dead, although this process cannot see them. What a living
            process on this engine looks after is left alone nevertheless.

    Raises:
        EngineError: the engine does not answer.
    """
    leftovers = engine.leftovers()
    owners = {leftover.labels.get(OWNER, "") for leftover in leftovers}
    over = {owner for owner in owners if is_dead(owner, observer, engine)}
    living = {owner for owner in owners - over if _lives(owner, observer, engine)}
    guarded = {_run_of(each) for each in leftovers if each.labels.get(OWNER, "") in living}
    undecided = {_run_of(each) for each in leftovers if each.labels.get(OWNER, "") not in over}
    return [
        each
        for each in leftovers
        if _run_of(each) not in undecided or (each.labels.get(FLOW_RUN) in flow_runs and _run_of(each) not in guarded)
    ]


def _lives(owner: str, observer: Owner, engine: Engine) -> bool:
    """Whether the owner is alive for sure."""
    other = Owner.parse(owner)
    container = ContainerStart.parse(other.host) if other else None
    if container is not None and other is not None and other.host != observer.host:
        running = engine.running(container.id)
        return running is not None and running.since == container.since
    return sight(owner, observer) is Sight.ALIVE


def _run_of(leftover: Leftover) -> tuple[str | None, str | None]:
    return leftover.labels.get(RUN), leftover.labels.get(FLOW_RUN)


def sweep(engine: Engine, observer: Owner, notify: Callable[[str], None]) -> None:
    """Remove what dead runs left on the engine, and report it through `notify`.

    What the clean-up stages of a dead run still need is left for `gc`.

    Raises:
        EngineError: the engine does not answer. If something cannot be removed, that is only reported.
    """
    discard(engine, [each for each in ownerless(engine, observer) if AFTER_CRASH not in each.labels], notify)


def discard(engine: Engine, dead: Sequence[Leftover], notify: Callable[[str], None]) -> None:
    """Remove these things from the engine, and report it through `notify`, also if something cannot be removed."""
    stuck = remove_all(engine, dead)
    kept = [leftover for leftover, _ in stuck]
    removed = [leftover for leftover in dead if leftover not in kept]
    if removed:
        notify(f"removed what a killed run left on the engine: {counted(removed)}")
    for leftover, error in stuck:
        notify(f"could not remove {leftover.kind} {leftover.id}, which a killed run left on the engine: {error.message}")


def _addresses() -> list[str]:
    """The addresses of the network hardware. Interfaces that programs make, such as bridges, have no device."""
    return [address for path in _NETWORK.glob("*/device") if (address := read(path.parent / "address"))]


def _namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return ""
