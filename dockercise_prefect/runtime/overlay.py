"""A writable copy of a volume that costs nothing: the engine shows the volume, and keeps what is changed elsewhere.

Linux calls this an overlay file system (kernel documentation, `filesystems/overlayfs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True)
class Root:
    """The mode and the owner of a volume's own root."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    mode: int
    uid: int = 0
    gid: int = 0


NEW: Final = Root(0o755)
"""The root of a volume that was just made."""

WRITABLE_FOR_ALL: Final = Root(0o1777)
"""The root of a volume that every user can write to."""

UPPER: Final = "upper"
WORK: Final = "work"
"""The folders that one copy needs."""

FOLDERS: Final[Mapping[Root, str]] = MappingProxyType({NEW: "new", WRITABLE_FOR_ALL: "writable"})
"""The folders in a volume for changes, by the root that a copy gets. Only one of them is used."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """How a volume shows a copy of another one.

    Nothing may change in `origin` while the copy exists. `origin` must not be such a copy itself.

    Attributes:
        origin: the name of the volume that is copied.
        changes: the name of the volume that keeps what is changed in the copy.
        folder: in `changes`. It has the empty folders `upper` and `work`, and no other copy may use it. The copy's root has the
            mode and the owner of `upper`.
    """

    origin: str
    changes: str
    folder: str


@dataclass(frozen=True, slots=True)
class OverlayFacts:
    """What an engine says before anybody has tried an overlay there.

    Attributes:
        engine: distinguishes the engine, in its version and on its kernel, from all others; empty if nothing does.
        refusal: why it surely cannot have overlays; None if that has to be tried.
    """

    engine: str = ""
    refusal: str | None = None
