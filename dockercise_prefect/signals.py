"""The signals that ask a process to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

INSISTING = 2.0
"""Seconds after the first signal. Signals within this time belong to the first one; a later signal is a new request."""


def interruptions() -> tuple[signal.Signals, ...]:
    """The signals that ask the process to end. SIGHUP (the terminal closes) is one of them, unless `nohup` ignores it."""
    asked = (signal.SIGINT, signal.SIGTERM)
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*asked, signal.SIGHUP)


@contextmanager
def handled(handler: Callable[[signal.Signals], None], numbers: Iterable[signal.Signals] | None = None) -> Iterator[None]:
    """Inside, signals call the handler. Afterwards, the earlier handlers are restored.

    Outside the main thread, signals cannot be caught, and nothing changes.

    Args:
        handler: called with the signal, in the main thread, between any two instructions.
        numbers: the signals, by default those of `interruptions`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        handler(signal.Signals(number))

    chosen = interruptions() if numbers is None else numbers
    before = {number: signal.signal(number, handle) for number in chosen}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def as_interrupt() -> AbstractContextManager[None]:
    """Inside, all signals that ask the process to end do what Ctrl-C does: exit status 130, after what was made is removed."""

    def interrupt(_number: signal.Signals) -> None:
        raise KeyboardInterrupt

    return handled(interrupt)


class Interruptions:
    """Turns the signals that ask the process to end into one KeyboardInterrupt, at a suitable moment.

    While signals are held (the initial state), a signal is only stored, and `release` raises it. Signals that follow within
    `INSISTING` seconds are dropped: they would interrupt what the first signal started. A later signal raises, held or not.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._is_pending = False
        self._is_held = True
        self._expected: set[int] = set()
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Handle the signals from here on, except those that the process was started to ignore.

        Outside the main thread, signals cannot be caught, and nothing changes.
        """
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in interruptions() if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._handle) for number in heeded}

    def restore(self, *numbers: signal.Signals) -> None:
        """Restore the earlier handlers of these signals."""
        for number in numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Inside, signals are handled. Afterwards, the earlier handlers are restored."""
        self.install()
        try:
            yield
        finally:
            self.restore(*tuple(self._before))

    def expect(self, number: signal.Signals) -> None:
        """Drop the next such signal: what it asks for has been asked already, in another way."""
        self._expected.add(number)

    def hold(self) -> None:
        """From here on, only store a signal."""
        self._is_held = True

    def release(self) -> None:
        """From here on, signals raise an exception.

        Raises:
            KeyboardInterrupt: a signal came while signals were held.
        """
        self._is_held = False
        if self._is_pending:
            self._is_pending = False
            raise KeyboardInterrupt

    @contextmanager
    def released(self) -> Iterator[None]:
        """Inside, signals raise an exception, including one that came before. Afterwards they are held.

        Raises:
            KeyboardInterrupt: a signal came while signals were held, or a signal comes inside.
        """
        try:
            self.release()
            yield
        finally:
            self.hold()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, signals are only stored. Afterwards they raise an exception again.

        Raises:
            KeyboardInterrupt: a signal came inside.
        """
        self.hold()
        yield
        self.release()

    @property
    def has_come(self) -> bool:
        """Whether a signal has asked the process to end."""
        return self._first is not None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number in self._expected:
            self._expected.discard(number)
            return
        now = time.monotonic()
        is_insisting = self._first is not None and now - self._first > INSISTING
        is_repeated = self._first is not None and not is_insisting
        self._first = self._first or now
        if is_insisting or not (self._is_held or is_repeated):
            raise KeyboardInterrupt
        self._is_pending = self._is_pending or not is_repeated


OF_THE_COMMAND = Interruptions()
"""The signals of a process of the command `dockercise`, which installs them in its first line."""


def leave_at_once(status: int) -> None:
    """From here on, a signal ends the process: all output is done, and the process only waits for threads of libraries."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        _leave(status)

    for number in interruptions():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


class LastStep:
    """What a process does after everything else, even after the functions that libraries have registered with `atexit`.

    With a status, it ends the process at once. Python would otherwise destroy every module and object one after the other,
    which takes a third of a second for Prefect, and does nothing that anybody sees.

    Attributes:
        status: the exit status; None if the process ends in another way. Then Python ends it, and shows why.
    """

    def __init__(self) -> None:
        self.status: int | None = None

    def __call__(self) -> None:
        """From here on, signals do nothing. Python restores the handlers, and then a signal would change the exit status."""
        for number in interruptions():
            signal.signal(number, signal.SIG_IGN)
        if self.status is not None:
            _leave(self.status)


def _leave(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
