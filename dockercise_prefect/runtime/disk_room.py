"""How much space a disk has."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Room:
    """The space of a disk: where it was looked at, and how many bytes it has, free for this user and in all."""

    where: str
    free: int
    size: int


def room_at(folder: Path) -> Room | None:
    """The space of the disk that has a folder, or would have it; None if that cannot be seen."""
    with suppress(OSError, ValueError):
        there = next((each for each in (folder, *folder.parents) if each.exists()), None)
        if there is not None:
            found = os.statvfs(there)
            # Some file systems, such as those of the kernel, do not say how large they are.
            return (
                Room(str(there), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize) if found.f_blocks else None
            )
    return None
