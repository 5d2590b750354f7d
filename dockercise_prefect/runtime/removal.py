"""Removes what lies on an engine, several things at once, and counts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Engine, Leftover

AT_ONCE = 8


def remove_all(engine: Engine, leftovers: Sequence[Leftover]) -> list[tuple[Leftover, EngineError]]:
    """Remove all of it, containers first, since they use the rest; what could not be removed, and why."""
    containers = [leftover for leftover in leftovers if leftover.kind == "container"]
    others = [leftover for leftover in leftovers if leftover.kind != "container"]
    return [
        (leftover, answer)
        for group in (containers, others)
        for leftover, answer in zip(group, run_each(engine.discard, group, at_once=AT_ONCE), strict=True)
        if isinstance(answer, EngineError)
    ]


def counted(leftovers: Iterable[Leftover]) -> str:
    """`2 containers, 1 volume`."""
    kinds = Counter(leftover.kind for leftover in leftovers)
    return ", ".join(f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in kinds.items())
