"""Pauses Python's garbage collector, and keeps what stays out of its sight."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, for work that makes many small objects which stay.

    The collector looks at all of them again and again, and finds nothing. Whatever has no cycles is freed all the same.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def imports_kept() -> Iterator[None]:
    """Pause the collector for imports, and let it never look at anything again that is there afterwards.

    Modules, classes and functions have cycles, but stay until the process ends. For Prefect, looking at them again and again
    takes a tenth of a second during the import alone.
    """
    with collector_paused():
        yield
        gc.freeze()
