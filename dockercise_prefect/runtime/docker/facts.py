"""What an engine says about itself, for people who look for a fault. Nothing changes on the engine."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from docker import APIClient

from dockercise_prefect.runtime.disk_room import Room, room_at
from dockercise_prefect.runtime.docker.connection import Address, connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.docker.overlays import overlay_facts
from dockercise_prefect.runtime.overlay import OverlayFacts

_CONTAINERD = Path("/var/lib/containerd")
"""Where images are if the engine leaves them to the containerd of its machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """An engine that answers.

    Attributes:
        url: where it is, safe to show. origin: what named the address.
        api: the version of its API.
        store: how it keeps images: a storage driver, or containerd.
        system: the operating system of its machine. machine: the processor.
        folder: where it keeps everything, on its machine.
        ahead: how many seconds its clock is ahead of ours; None if it does not tell the time.
        doubt: how many seconds `ahead` may be wrong.
        room: the space where it keeps everything; None if that is on another machine, or cannot be seen from here.
        rootless: whether it runs without root's rights.
        has_init: whether it can put an init process in front of a script.
        unlimited: the limits that its kernel does not keep.
        overlays: whether it may be able to have overlays.
    """

    url: str
    origin: str
    version: str
    api: str
    store: str
    system: str
    machine: str
    folder: str
    ahead: float | None
    doubt: float
    room: Room | None
    rootless: bool
    has_init: bool
    unlimited: tuple[str, ...]
    overlays: OverlayFacts


@dataclass(frozen=True, slots=True)
class EngineUsage:
    """How many bytes an engine uses. Layers that images share count once."""

    images: int
    containers: int
    volumes: int
    build_cache: int


class EngineInspection:
    """Asks an engine. Every method raises `EngineError` if the engine does not answer.

    Attributes:
        engine: the engine itself.
    """

    def __init__(self, client: APIClient, address: Address) -> None:
        self._client = client
        self._address = address
        self.engine = DockerEngine(client, address, has_init=False, credentials={})

    @classmethod
    def connect(cls) -> Self:
        """The engine that runs would use.

        Raises:
            EngineError: no engine answers, or it cannot run stages.
        """
        return cls(*connect())

    def facts(self) -> EngineFacts:
        """What it says about itself."""
        with engine_errors(f"cannot get information about the engine at {self._address.shown}"):
            version = self._client.version()
            before = time.time()
            info = self._client.info()
            after = time.time()
        return facts_of(version, info, self._address, _room(info, self._address), before=before, after=after)

    def usage(self) -> EngineUsage:
        """How much space it uses. The engine may look at every file for that."""
        with engine_errors(f"cannot find out how much space the engine at {self._address.shown} uses"):
            return usage_of(self._client.df())

    def shrink_build_cache(self, size: int) -> None:
        """Remove what was not used for the longest time, until at most so many bytes are left. What a build uses stays."""
        with engine_errors(f"cannot make the build cache of the engine at {self._address.shown} smaller"):
            self._client.prune_builds(keep_storage=size, all=True)


def facts_of(
    version: Mapping[str, Any], info: Mapping[str, Any], address: Address, room: Room | None, *, before: float, after: float
) -> EngineFacts:
    """The facts in the engine's answers.

    Args:
        version, info: the answers.
        address: where the engine is.
        room: of the disk where it keeps everything.
        before, after: our clock when `info` was asked for, and when it was there.
    """
    told = _time(info.get("SystemTime"))
    status = dict(entry for entry in info.get("DriverStatus") or () if len(entry) == 2)  # noqa: PLR2004  a name and a value
    by_containerd = "snapshotter" in str(status.get("driver-type", ""))
    return EngineFacts(
        url=address.shown,
        origin=address.origin,
        version=str(version.get("Version", "")),
        api=str(version.get("ApiVersion", "")),
        store=f"containerd ({info.get('Driver')})" if by_containerd else str(info.get("Driver", "")),
        system=str(info.get("OperatingSystem") or version.get("Os") or ""),
        machine=f"{version.get('Os', '')}/{version.get('Arch', '')}",
        folder=str(info.get("DockerRootDir", "")),
        ahead=None if told is None else told - (before + after) / 2,
        doubt=(after - before) / 2,
        room=room,
        rootless=any("name=rootless" in option for option in info.get("SecurityOptions") or ()),
        has_init=bool(info.get("InitBinary")),
        unlimited=tuple(
            name
            for name, key in (("memory", "MemoryLimit"), ("cpus", "CpuCfsQuota"), ("pids", "PidsLimit"))
            if info.get(key) is False
        ),
        overlays=overlay_facts(info),
    )


def usage_of(answer: Mapping[str, Any]) -> EngineUsage:
    """The sizes in the engine's answer about its use of the disk."""
    volumes = (one.get("UsageData") or {} for one in answer.get("Volumes") or ())
    return EngineUsage(
        images=int(answer.get("LayersSize") or 0),
        containers=sum(int(one.get("SizeRw") or 0) for one in answer.get("Containers") or ()),
        volumes=sum(max(0, int(one.get("Size") or 0)) for one in volumes),  # -1: the engine does not know
        build_cache=sum(int(one.get("Size") or 0) for one in answer.get("BuildCache") or () if not one.get("Shared")),
    )


def _room(info: Mapping[str, Any], address: Address) -> Room | None:
    """The smallest of the disks that the engine writes to, if it is the engine of this machine."""
    folder = Path(str(info.get("DockerRootDir") or ""))
    if not address.url.startswith("unix://") or info.get("Name") != socket.gethostname() or not _is_folder(folder):
        return None
    folders = [folder, _CONTAINERD] if "containerd" in str(info.get("DriverStatus")) and _is_folder(_CONTAINERD) else [folder]
    return min((room for each in folders if (room := room_at(each))), key=lambda room: room.free, default=None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_absolute() and path.is_dir()
    except OSError:
        return False


def _time(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
