"""What happens while a reader waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def steps(*actions: Callable[[], object]) -> Callable[[], None]:
    """What happens between two looks, in order; there must be no further look."""
    left: Iterator[Callable[[], object]] = iter(actions)

    def pause() -> None:
        next(left)()

    return pause
