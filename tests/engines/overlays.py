"""Overlays of the scripted engine: a copy has the files of its origin, and breaks the contract where a real one would break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.overlay import UPPER, WORK, Overlay
from tests.engines.container import ContractBreachError, Volume
from tests.engines.files import Tree


def overlaid(overlay: Overlay, volumes: Mapping[str, Volume], *, breaks_links: bool) -> Tree:
    """The files of a new copy.

    Args:
        overlay: what it is a copy of.
        volumes: of the engine, by name.
        breaks_links: whether hard links are lost in the copy.
    """
    for name in (overlay.origin, overlay.changes):
        if name not in volumes:
            raise EngineError(f"there is no volume {name}")
        if volumes[name].overlay is not None:
            raise ContractBreachError(f"{name} is a copy by an overlay, so it cannot be used for another one")
    if any(other.overlay and other.overlay.changes == overlay.changes for other in volumes.values()):
        raise ContractBreachError(f"two copies use {overlay.changes}")
    changes = volumes[overlay.changes].tree
    folders = [sorted(name for name, _ in changes.below(f"{overlay.folder}/{part}")) for part in (UPPER, WORK)]
    if [len(each) for each in folders] != [1, 1]:
        raise ContractBreachError(f"{overlay.changes} has no empty folders for changes: {folders}")
    tree = volumes[overlay.origin].tree.copy()
    if breaks_links:
        tree.entries = {path: replace(entry) for path, entry in tree.entries.items()}
    tree.entries[""] = changes.entries[f"{overlay.folder}/{UPPER}"]
    return tree


def copies_of(name: str, volumes: Mapping[str, Volume]) -> list[str]:
    """The copies that need a volume."""
    return [each.name for each in volumes.values() if each.overlay and name in {each.overlay.origin, each.overlay.changes}]
