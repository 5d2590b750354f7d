"""Signals while a command has something on an engine: it is put in order before the process ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dockercise_prefect.orchestration.prefect.signals import interruptions


@contextmanager
def as_interrupt() -> Iterator[None]:
    """Inside, all signals that ask the process to end do what Ctrl-C does: exit status 130, after what was made is removed.

    Outside the main thread, signals cannot be caught, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in interruptions()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
