"""Background work that goes on until it is stopped."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

LONGEST_PAUSE = 5.0
"""Seconds after which a thread looks for work also when nothing woke it.

One that has put something off may be held up by something else when that is due; the others, which slept, do not know of it.
"""

_AFTER_A_FAILURE = 5.0


class Loop:
    """Threads that all do the same: one step, then a pause as long as the step says, or until they are woken.

    The threads do not hold up the end of the process: what they were at is done again by the next one.
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
        """Make it; `start` begins.

        Args:
            name: of the threads.
            step: does one thing, and returns seconds to pause before the next, 0 for none.
            say: told when a step fails, which none should.
            threads: how many do steps side by side.
            longest: seconds that a pause lasts at most.
        """
        self._step = step
        self._say = say
        self._longest = longest
        self._changed = threading.Condition()
        self._wakes = 0
        self._stopping = False
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There is work: end all pauses."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Begin no further step."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for the steps that are being done; returns whether all have ended."""
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
            self._say(f"the database of deliveries fails: {error}; trying again")
        except Exception as error:  # noqa: BLE001  a thread that ends would end the work in silence
            self._say(f"{threading.current_thread().name} failed: {type(error).__name__}; trying again")
        return _AFTER_A_FAILURE
