"""Runs actions while a reader waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def steps(*actions: Callable[[], object]) -> Callable[[], None]:
    """Return a wait function that runs the next action at each call. There must not be more calls than actions."""
    left: Iterator[Callable[[], object]] = iter(actions)

    def pause() -> None:
        next(left)()

    return pause
