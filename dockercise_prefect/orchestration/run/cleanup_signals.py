"""Signals during the clean-up of a run: the first one only shows a message, the second one ends the clean-up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from dockercise_prefect.signals import handled

STILL_REMOVING = "removing what the run created on the engine; another signal leaves the rest for the next run"


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
        self._messages: SimpleQueue[str | None] = SimpleQueue()
        self._handled = ExitStack()
        self._was_asked = False

    def __enter__(self) -> Self:
        """Nothing changes before `begin`."""
        return self

    def begin(self) -> None:
        """The clean-up begins."""
        threading.Thread(target=self._show, name="clean-up signals", daemon=True).start()
        self._handled.enter_context(handled(self._handle))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """The clean-up is over."""
        self._handled.close()
        self._messages.put(None)

    def _handle(self, _number: signal.Signals) -> None:
        if self._was_asked:
            raise KeyboardInterrupt
        self._was_asked = True
        self._messages.put(STILL_REMOVING)

    def _show(self) -> None:
        while (text := self._messages.get()) is not None:
            self._notify(text)
