"""Checks of the engine: whether it can run stages, its disk, its clock, and what runs have left there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.doctor.amounts import BYTES_OF, shown_size
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus
from dockercise_prefect.runtime.cleanup.labels import OWNER
from dockercise_prefect.runtime.cleanup.ownership import Owner, is_dead, this_process
from dockercise_prefect.runtime.cleanup.removal import counted
from dockercise_prefect.runtime.copying.trials import Trials
from dockercise_prefect.runtime.disk_room import Room
from dockercise_prefect.runtime.docker.facts import EngineFacts, EngineInspection, EngineUsage
from dockercise_prefect.runtime.engine import Engine, Leftover
from dockercise_prefect.runtime.overlay import OverlayFacts

OLDEST_API: Final = (1, 41)
"""The API of Docker 20.10, the oldest engine that is tested."""

LITTLE_ROOM: Final = 5 * BYTES_OF["GB"]
NO_ROOM: Final = BYTES_OF["GB"] // 2

CLOCK_SECONDS: Final = 5.0
"""From here on, times in logs and records mislead, and `make` in a stage may think that files are new."""

WRONG_CLOCK_SECONDS: Final = 300.0
"""From here on, others refuse what a stage signs: AWS after 15 minutes, Kerberos after 5."""


class EngineProbes:
    """The probes of one engine. They may run next to each other.

    Args:
        inspection: connects, and gives the same engine each time.
        trials: what runs have found out about engines.
    """

    def __init__(self, inspection: Callable[[], EngineInspection], trials: Trials) -> None:
        self._inspection = inspection
        self._trials = trials

    def engine(self) -> Iterator[Check]:
        """Whether it answers and can run stages, its clock, its disk, and how it copies volumes."""
        facts = self._inspection().facts()
        yield engine_check(facts)
        yield clock_check(facts)
        yield disk_check(facts.room, facts.folder)
        yield copies_check(facts.overlays, self._trials)

    def usage(self) -> Iterator[Check]:
        """How much space it uses."""
        if (inspection := self._connected()) is None:
            yield Check("engine usage", CheckStatus.UNKNOWN, "there is no engine to ask")
        else:
            yield usage_check(inspection.usage())

    def leftovers(self) -> Iterator[Check]:
        """What runs have there."""
        if (inspection := self._connected()) is None:
            yield Check("leftovers", CheckStatus.UNKNOWN, "there is no engine to ask")
        else:
            yield leftovers_check(*sorted_leftovers(inspection.engine))

    def _connected(self) -> EngineInspection | None:
        try:
            return self._inspection()
        except EngineError:  # the check of the engine says why
            return None


def engine_check(facts: EngineFacts) -> Check:
    """Whether stages can run on this engine."""
    found = f"Docker {facts.version}, API {facts.api}, {facts.store}, {facts.machine} · {facts.url} ({facts.origin})"
    status, hint = CheckStatus.OK, None
    if not facts.machine.startswith("linux/"):
        status, hint = CheckStatus.PROBLEM, "stages need an engine for Linux containers: switch Docker Desktop to them"
    elif facts.folder.startswith("/var/snap/"):
        status = CheckStatus.PROBLEM
        hint = (
            "Docker from the snap package starts no container of a stage: install Docker from its own or your system's packages"
        )
    elif _api(facts.api) < OLDEST_API:
        status, hint = CheckStatus.WARNING, "Docker 20.10 and later are tested: upgrade the engine"
    elif facts.unlimited:
        status = CheckStatus.WARNING
        hint = f"its kernel does not keep limits of {', '.join(facts.unlimited)}: turn on these control groups on its machine"
    elif not facts.has_init:
        status = CheckStatus.WARNING
        hint = "it has no init program (docker-init), so processes that a stage leaves behind are not cleaned up: install tini"
    return Check(
        "engine",
        status,
        found + (", rootless" if facts.rootless else ""),
        hint,
        {
            "version": facts.version,
            "api": facts.api,
            "url": facts.url,
            "origin": facts.origin,
            "store": facts.store,
            "system": facts.system,
            "platform": facts.machine,
            "rootless": facts.rootless,
        },
    )


def clock_check(facts: EngineFacts) -> Check:
    """How far the engine's clock is from ours."""
    if facts.ahead is None:
        return Check("engine clock", CheckStatus.UNKNOWN, "the engine does not tell its time")
    off = max(0.0, abs(facts.ahead) - facts.doubt)
    numbers = {"seconds": round(facts.ahead, 3)}
    if off < CLOCK_SECONDS:
        return Check("engine clock", CheckStatus.OK, "as here", facts=numbers)
    return Check(
        "engine clock",
        CheckStatus.WARNING if off < WRONG_CLOCK_SECONDS else CheckStatus.PROBLEM,
        f"{abs(facts.ahead):.0f} s {'ahead of' if facts.ahead > 0 else 'behind'} the clock here",
        "set both clocks by NTP; a virtual machine that was asleep may need a restart",
        numbers,
    )


def disk_check(room: Room | None, folder: str) -> Check:
    """How much room the engine's disk has."""
    if room is None:
        hint = f"look there: `df -h {folder}`" if folder else None
        return Check("engine disk", CheckStatus.UNKNOWN, "the engine keeps its files where they cannot be seen from here", hint)
    status = CheckStatus.PROBLEM if room.free < NO_ROOM else CheckStatus.WARNING if room.free < LITTLE_ROOM else CheckStatus.OK
    return Check(
        "engine disk",
        status,
        f"{shown_size(room.free)} of {shown_size(room.size)} free in {room.where}",
        None
        if status is CheckStatus.OK
        else "`docker system df` shows what uses it, `docker system prune` removes what nothing uses",
        {"folder": room.where, "free_bytes": room.free, "size_bytes": room.size},
    )


def copies_check(overlays: OverlayFacts, trials: Trials) -> Check:
    """How stages with `on` get their copies of volumes. It is always OK: a copy of all bytes is only slower."""
    name, known = "engine copies", trials.of(overlays.engine)
    if overlays.refusal is None and known is None:
        return Check(name, CheckStatus.UNKNOWN, "the first run with `on` tries whether it can copy volumes by overlays")
    reason = overlays.refusal or (known.trouble if known else None)
    found = "by overlays" if reason is None else f"all bytes, not by overlays: {reason}"
    return Check(name, CheckStatus.OK, found, facts={"overlays": reason is None, "reason": reason})


def usage_check(usage: EngineUsage) -> Check:
    """What the engine's space is used for."""
    kinds = {
        "images": usage.images,
        "containers": usage.containers,
        "volumes": usage.volumes,
        "build cache": usage.build_cache,
    }
    found = ", ".join(f"{name} {shown_size(size)}" for name, size in kinds.items())
    return Check(
        "engine usage", CheckStatus.OK, found, facts={f"{name.replace(' ', '_')}_bytes": n for name, n in kinds.items()}
    )


def sorted_leftovers(engine: Engine) -> tuple[list[Leftover], list[Leftover], list[Leftover]]:
    """What runs have on the engine: runs that are alive, runs that are dead, and runs that cannot be judged from here.

    Raises:
        EngineError: the engine does not answer.
    """
    observer = this_process(engine)
    found = engine.leftovers()
    dead = {owner: is_dead(owner, observer, engine) for owner in {one.labels.get(OWNER, "") for one in found}}
    alive: list[Leftover] = []
    over: list[Leftover] = []
    unclear: list[Leftover] = []
    for one in found:
        owner = one.labels.get(OWNER, "")
        (over if dead[owner] else alive if _can_be_seen(owner, observer) else unclear).append(one)
    return alive, over, unclear


def leftovers_check(alive: Iterable[Leftover], over: Iterable[Leftover], unclear: Iterable[Leftover]) -> Check:
    """What runs have on the engine."""
    alive, over, unclear = list(alive), list(over), list(unclear)
    parts = [
        *([f"of running runs: {counted(alive)}"] if alive else []),
        *([f"of killed runs: {counted(over)}"] if over else []),
        *([f"of runs elsewhere: {counted(unclear)}"] if unclear else []),
    ]
    return Check(
        "leftovers",
        CheckStatus.WARNING if over else CheckStatus.OK,
        "; ".join(parts) or "none",
        "`dockercise gc`, or the next run on this engine, removes what killed runs left" if over else None,
        {"running": len(alive), "dead": len(over), "elsewhere": len(unclear)},
    )


def _can_be_seen(owner: str, observer: Owner) -> bool:
    other = Owner.parse(owner)
    seen_from_here = (observer.host, observer.machine, observer.boot, observer.namespace)
    return other is not None and (other.host, other.machine, other.boot, other.namespace) == seen_from_here


def _api(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
