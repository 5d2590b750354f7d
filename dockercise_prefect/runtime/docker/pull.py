"""Progress of an image pull, as a few readable lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

_SPACING = 5.0
"""Seconds between two lines of progress."""

_MEGABYTE = 1_000_000


class PullProgress:
    """Takes the events of one pull, and returns a line from time to time.

    Args:
        clock: returns seconds that never go back.
    """

    def __init__(self, ref: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._ref = ref
        self._clock = clock
        self._last = clock()
        self._layers: dict[str, tuple[int, int]] = {}

    def line(self, event: Mapping[str, Any]) -> str | None:
        """Take one event. Return a line if it is time for one and there is something to report."""
        self._take(event)
        now = self._clock()
        if not self._layers or now - self._last < _SPACING:
            return None
        self._last = now
        done = sum(got for got, _ in self._layers.values()) / _MEGABYTE
        total = sum(size for _, size in self._layers.values()) / _MEGABYTE
        return f"pulling {self._ref}: {done:.0f} of {total:.0f} MB"

    def _take(self, event: Mapping[str, Any]) -> None:
        layer, detail = event.get("id"), event.get("progressDetail") or {}
        if not layer:
            return
        if event.get("status") == "Downloading" and "total" in detail:
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif layer in self._layers and event.get("status") in {"Download complete", "Pull complete"}:
            self._layers[layer] = (self._layers[layer][1],) * 2
