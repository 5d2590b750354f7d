"""Removes things from an engine, several at once, and counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import OVERLAY
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Engine, Leftover

AT_ONCE = 8


def remove_all(engine: Engine, leftovers: Sequence[Leftover]) -> list[tuple[Leftover, EngineError]]:
    """Remove all of it, containers first, since they use the rest. Return what could not be removed, and why.

    A volume stays as long as a copy is there that an overlay shows of it: the engine would remove it under a running container.

    An image cannot be removed before the images that were made from it. So what the engine refuses to remove is tried again,
    as long as something else was removed in the meantime.
    """
    containers = [leftover for leftover in leftovers if leftover.kind == "container"]
    others = [leftover for leftover in leftovers if leftover.kind not in {"container", "image"}]
    copies = [leftover for leftover in others if OVERLAY in leftover.labels]
    stuck = [*_try_all(engine, containers), *_try_all(engine, copies)]
    shown = {name: error for copy, error in stuck for name in copy.labels.get(OVERLAY, "").split()}
    stuck += [(leftover, shown[leftover.id]) for leftover in others if leftover.id in shown]
    stuck += _try_all(engine, [leftover for leftover in others if leftover not in copies and leftover.id not in shown])
    images = [leftover for leftover in leftovers if leftover.kind == "image"]
    refused = _try_all(engine, images)
    while refused and len(refused) < len(images):
        images = [leftover for leftover, _ in refused]
        refused = _try_all(engine, images)
    return stuck + refused


def _try_all(engine: Engine, leftovers: Sequence[Leftover]) -> list[tuple[Leftover, EngineError]]:
    answers = run_each(engine.discard, leftovers, at_once=AT_ONCE)
    return [(each, answer) for each, answer in zip(leftovers, answers, strict=True) if isinstance(answer, EngineError)]


def counted(leftovers: Iterable[Leftover]) -> str:
    """The leftovers, counted by kind: `2 containers, 1 volume`."""
    kinds = Counter(leftover.kind for leftover in leftovers)
    return ", ".join(f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in kinds.items())
