"""Copies the files of a record to another place while the record grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.objects import Objects, remove_outdated

WORKERS = 3
"""Files that are sent at once: a big one does not hold up the small ones."""

SHORTEST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds until a place that failed is tried again; each failure in a row doubles them."""

GROWING_SECONDS = 5.0
"""Seconds after which a file that grows is sent again, at least."""

GROWING_FACTOR = 10
"""So many times as long as sending it took, it waits: a log of gigabytes does not keep the network busy."""


class Mirror:
    """Sends files of one folder in the background, each as it is when its turn comes. Thread-safe.

    A place that fails slows nobody down: what could not be sent is tried again, later and later, and once more in the end.

    Args:
        folder: of the record.
        objects: where to.
        path: of the record there.
        notify: told once, when the place fails first while nobody waits for it.
    """

    def __init__(self, folder: Path, objects: Objects, path: str, notify: Callable[[str], None]) -> None:
        self._folder = folder
        self._objects = objects
        self._path = path
        self._notify = notify
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}  # file to the time from which on it is to be sent
        self._after: dict[str, str] = {}  # file to the one that goes before it
        self._replaced: dict[str, str] = {}  # file to the one whose place it takes
        self._sending: dict[str, int] = {}  # file to the call in which its try began
        self._call = 0
        self._growing: dict[str, float] = {}  # file that grows to the seconds it waits
        self._pause = 0.0
        self._resume = 0.0
        self._failure: StorageError | None = None
        self._told = False
        self._waited_for = False
        self._last_call = False
        self._closed = False
        self._workers = 0

    def put(self, name: str, *, after: str | None = None) -> None:
        """The file is whole, or is another one than before: send it soon, but not before the last of the one it comes after."""
        with self._changed:
            self._growing.pop(name, None)
            if after is not None:
                self._after[name] = after
            self._due[name] = 0.0
            self._get_to_work()

    def put_instead(self, name: str, former: str) -> None:
        """The file is whole and takes the place of one that grew.

        The former is sent no more, and removed there once this one has arrived.
        """
        with self._changed:
            self._due.pop(former, None)
            self._growing.pop(former, None)
            self._replaced[name] = former
            self.put(name, after=former)

    def grew(self, name: str) -> None:
        """There is more of the file, and more will come: send it now and then."""
        with self._changed:
            if name not in self._due:
                self._due[name] = time.monotonic() + self._growing.setdefault(name, GROWING_SECONDS)
                self._get_to_work()

    def knock(self, name: str, within: float) -> None:
        """Send the first file, and wait so many seconds for what the place says to it.

        Raises:
            StorageError: the place failed; the file is tried again as any other.
        """
        with self._changed:  # nobody else is told of the failure that this waits for
            self.put(name)
            self.settle(within)

    def settle(self, within: float | None = None) -> bool:
        """Wait until everything has been sent; what failed before is tried once more.

        Args:
            within: seconds to wait at most; None for as long as it takes.

        Returns:
            Whether everything has been sent.

        Raises:
            StorageError: the place failed again; what was not sent stays to be sent.
        """
        with self._changed:
            self._last_call = self._waited_for = True
            self._failure, self._resume = None, 0.0
            self._call += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._failure or not (self._due or self._sending), within)
                if self._failure:
                    raise self._failure
                return not (self._due or self._sending)
            finally:
                self._last_call = self._waited_for = False

    def close(self) -> None:
        """Send nothing more; what is under way may still arrive."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _get_to_work(self) -> None:
        if self._workers < WORKERS and not self._closed:
            self._workers += 1
            threading.Thread(target=self._work, name=f"mirror-{self._workers}", daemon=True).start()
        self._changed.notify_all()

    def _work(self) -> None:
        while (name := self._next()) is not None:
            began = time.monotonic()
            try:
                with (self._folder / name).open("rb") as content:
                    self._objects.put(f"{self._path}/{name}", content)
                if former := self._replaced.get(name):
                    remove_outdated(self._objects, f"{self._path}/{former}")
            except StorageError as error:
                self._failed(name, error)
            except OSError as error:
                self._failed(name, StorageError(f"cannot read {self._folder / name}: {error.strerror}"))
            except Exception as error:  # noqa: BLE001  with a thread that is gone, the run would wait for ever
                self._failed(name, StorageError(f"cannot send {name}: {type(error).__name__}: {error}"))
            else:
                self._sent(name, time.monotonic() - began)

    def _next(self) -> str | None:
        """The file whose turn it is, marked as being sent; None when all is over."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                sendable = [name for name in self._due if self._may_go(name)]
                ready = [name for name in sendable if self._time_of(self._due[name]) <= now]
                if ready:
                    name = min(ready, key=self._due.__getitem__)
                    del self._due[name]
                    self._sending[name] = self._call
                    return name
                waiting = [self._time_of(self._due[name]) for name in sendable]
                self._changed.wait(min(waiting) - now if waiting else None)
            return None

    def _may_go(self, name: str) -> bool:
        former = self._after.get(name)
        return name not in self._sending and former not in self._sending and former not in self._due

    def _time_of(self, due: float) -> float:
        return 0.0 if self._last_call else max(due, self._resume)

    def _sent(self, name: str, seconds: float) -> None:
        with self._changed:
            del self._sending[name]
            self._pause = 0.0
            if name in self._growing:
                self._growing[name] = max(GROWING_SECONDS, GROWING_FACTOR * seconds)
            self._changed.notify_all()

    def _failed(self, name: str, error: StorageError) -> None:
        with self._changed:
            began = self._sending.pop(name)
            if name in self._replaced.values():  # the one that takes its place has all of it
                self._changed.notify_all()
                return
            self._due.setdefault(name, 0.0)
            # A try that began before the last call is not the last one: it is made again.
            if not (self._last_call and began < self._call):
                self._failure = error
                self._pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, 2 * self._pause))
                self._resume = time.monotonic() + self._pause
                # In a last call, whoever waits for it hears of this failure; nobody tries again before.
                self._last_call = False
            tell = not (self._told or self._waited_for or self._closed)
            self._told = self._told or tell
            self._changed.notify_all()
        if tell:
            self._notify(f"results are kept here for now: {error}")
