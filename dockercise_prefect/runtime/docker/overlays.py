"""Overlays on a Docker engine: volumes of its `local` driver with the options of mount(8)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from docker import APIClient
from docker.errors import APIError

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.errors import explanation
from dockercise_prefect.runtime.overlay import UPPER, WORK, Overlay, OverlayFacts

P = ParamSpec("P")
T = TypeVar("T")

_OPTIONS: Final = "index=on,redirect_dir=on"
"""Without `index`, a hard link breaks when one of its files is written; without `redirect_dir`, no folder can be renamed."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./-]+")
"""Paths that need no escapes among the options of a mount."""

_REFUSALS: Final = {
    "name=rootless": "the engine has no root rights (rootless)",
    "name=userns": "the engine gives containers other user ids (`userns-remap`)",
    "name=selinux": "the engine labels files for SELinux",
}


_BUSY: Final = re.compile(r"failed to mount local volume: mount overlay:.*: device or resource busy", re.DOTALL)
"""What engines answer if the kernel does not mount an overlay again yet."""

_BUSY_SECONDS: Final = 20.0
_BUSY_PAUSE: Final = 0.02
"""Seconds that an overlay may stay busy, and between two tries."""


def overlay_facts(info: Mapping[str, Any]) -> OverlayFacts:
    """What an engine's information about itself says about overlays."""
    options = [part for option in info.get("SecurityOptions") or () for part in str(option).split(",")]
    refusal = next((why for name, why in _REFUSALS.items() if name in options), None)
    known = [str(info.get(key) or "") for key in ("ID", "ServerVersion", "KernelVersion", "DockerRootDir")]
    return OverlayFacts(" ".join(known) if all(known) else "", refusal)


def volume_arguments(client: APIClient, overlay: Overlay | None) -> dict[str, Any]:
    """The arguments of "create a volume", besides its name and its labels.

    Raises:
        EngineError: the engine cannot show these volumes in this way.
        DockerException, requests.RequestException: the engine does not answer, or one of the volumes does not exist.
    """
    if overlay is None:
        return {}
    origin, changes = _path(client, overlay.origin), f"{_path(client, overlay.changes)}/{overlay.folder}"
    options = f"lowerdir={origin},upperdir={changes}/{UPPER},workdir={changes}/{WORK},{_OPTIONS}"
    return {"driver": "local", "driver_opts": {"type": "overlay", "device": "overlay", "o": options}}


def again_while_busy(do: Callable[P, T]) -> Callable[P, T]:
    """Decorates what makes an engine mount volumes: it is done again while the kernel takes an overlay for mounted.

    An engine mounts a volume for each call, and unmounts it afterwards. If it starts another container meanwhile, the
    processes of that container have all mounts of the engine for some milliseconds, and so keep the overlay mounted.
    """

    @wraps(do)
    def patiently(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return do(*args, **kwargs)
            except EngineError as error:
                if not _is_busy(error.__cause__) or time.monotonic() > deadline:
                    raise
            time.sleep(_BUSY_PAUSE)

    return patiently


def _is_busy(cause: BaseException | None) -> bool:
    return isinstance(cause, APIError) and _BUSY.search(explanation(cause)) is not None


def _path(client: APIClient, volume: str) -> str:
    """Where the engine keeps the files of a volume."""
    found = client.inspect_volume(volume)
    path = str(found.get("Mountpoint") or "")
    if found.get("Driver") != "local" or found.get("Options"):
        raise EngineError(f"volume {volume} is not a plain folder of the engine")
    if not _PLAIN.fullmatch(path):
        raise EngineError(f"the engine keeps volumes in {path}, and such a path cannot be an option of a mount")
    return path
