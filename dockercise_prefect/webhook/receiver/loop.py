"""Background work that runs until it is stopped."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

LONGEST_PAUSE = 5.0
"""Seconds after which a thread looks for work even if nothing woke it.

A thread that has put some work off may be busy with other work when it is due. The other threads slept and do not know of it.
"""

_AFTER_A_FAILURE = 5.0


class Loop:
    """Threads that all do the same: one step, then a pause of the length that the step returns, or until they are woken.

    The process does not wait for the threads when it ends. The next process repeats the steps that were not finished.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        say: Callable[[str], None],
        *,
        threads: int = 1,
        longest: float = LONGEST_PAUSE,
    ) -> None:
        """Make the loop. `start` starts the threads.

        Args:
            name: name of the threads.
            step: does one thing, and returns the seconds to pause before the next step; 0 means no pause.
            say: called with a line when a step fails, which should never happen.
            threads: the number of threads that do steps in parallel.
            longest: the longest pause in seconds.
        """
        self._step = step
        self._say = say
        self._longest = longest
        self._changed = threading.Condition()
        self._wakes = 0
        self._stopping = False
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """End all pauses, because there is work."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Start no further step."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for the running steps; returns whether all have ended."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stopping:
            with self._changed:
                wakes = self._wakes
            pause = self._stepped()
            with self._changed:
                self._changed.wait_for(
                    lambda seen=wakes: self._stopping or self._wakes != seen,  # type: ignore[misc]  # a default has no type
                    min(pause, self._longest),
                )

    def _stepped(self) -> float:
        try:
            return self._step()
        except sqlite3.Error as error:
            self._say(f"the database of deliveries failed: {error}; trying again")
        except Exception as error:  # noqa: BLE001  if the thread ended, the work would stop without a message
            self._say(f"{threading.current_thread().name} failed: {type(error).__name__}; trying again")
        return _AFTER_A_FAILURE
