"""The progress of a pull, as lines for people."""

from __future__ import annotations

from itertools import count
from typing import Any

from dockercise_prefect.runtime.docker.pull import PullProgress


def _event(layer: str, status: str, current: int = 0, total: int = 0) -> dict[str, Any]:
    return {"id": layer, "status": status, "progressDetail": {"current": current, "total": total} if total else {}}


def test_not_a_line_for_each_tick() -> None:
    """Of a hundred events a second, only one in five seconds becomes a line."""
    ticks = (tick / 100 for tick in count())
    progress = PullProgress("a:1", clock=lambda: next(ticks))

    lines = [progress.line(_event("l", "Downloading", tick * 1_000_000, 2000_000_000)) for tick in range(1900)]

    assert [line for line in lines if line] == [
        "pulling a:1: 499 of 2000 MB",
        "pulling a:1: 999 of 2000 MB",
        "pulling a:1: 1499 of 2000 MB",
    ]


def test_layers_add_up() -> None:
    """The line counts all layers, and finished layers count whole."""
    seconds = count(step=3)
    progress = PullProgress("a:1", clock=lambda: next(seconds))
    progress.line(_event("one", "Downloading", 1_000_000, 10_000_000))

    line = progress.line(_event("two", "Downloading", 5_000_000, 20_000_000))
    progress.line(_event("one", "Download complete"))
    later = progress.line(_event("two", "Extracting", 1, 2))

    assert (line, later) == ("pulling a:1: 6 of 30 MB", "pulling a:1: 15 of 30 MB")


def test_nothing_to_say() -> None:
    """Events without layers, or before any size is known, give no line."""
    progress = PullProgress("a:1", clock=iter(range(0, 1000, 100)).__next__)

    lines = [progress.line(event) for event in ({"status": "Pulling from a"}, _event("l", "Waiting"), {"status": "Digest: …"})]

    assert lines == [None, None, None]
