"""Signals during the clean-up of a run: the first one only shows a message, the second one ends the clean-up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Self

from dockercise_prefect.orchestration.prefect.signals import interruptions

STILL_REMOVING = "removing what the run made on the engine; one more signal leaves the rest to the next run"


class CleanupSignals:
    """Keeps a first signal from interrupting the clean-up of a run.

    The first signal after `begin` only shows a message. The second one raises `KeyboardInterrupt`, because an engine that does
    not answer could block the user for minutes. A context manager that restores the handlers at its end. Outside the main
    thread, signals cannot be caught, and it does nothing.

    Args:
        notify: called with the message, in a separate thread, because a handler may interrupt code that holds its locks.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._told: SimpleQueue[str | None] = SimpleQueue()
        self._before: dict[signal.Signals, Any] = {}
        self._asked = False

    def __enter__(self) -> Self:
        """Nothing changes before `begin`."""
        return self

    def begin(self) -> None:
        """The clean-up begins."""
        if threading.current_thread() is not threading.main_thread():
            return
        threading.Thread(target=self._tell, name="tidying", daemon=True).start()
        self._before = {number: signal.signal(number, self._handle) for number in interruptions()}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """The clean-up is over."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._told.put(None)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._told.put(STILL_REMOVING)

    def _tell(self) -> None:
        while (text := self._told.get()) is not None:
            self._notify(text)
