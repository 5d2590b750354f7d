"""Copies the files of a record to another place while the record grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.objects import Objects, remove_outdated

WORKERS = 3
"""The number of files that are sent at the same time, so that a big file does not delay the small ones."""

SHORTEST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds until a place that failed is tried again. Each failure in a row doubles the pause."""

GROWING_SECONDS = 5.0
"""The minimum number of seconds until a growing file is sent again."""

GROWING_FACTOR = 10
"""A growing file waits this many times as long as sending it took, so that a huge log does not keep the network busy."""


class Mirror:
    """Sends the files of one folder in the background. Each file is sent with its content at that time. Thread-safe.

    A failure of the place does not delay the run: the files are tried again after longer and longer pauses, and once more in
    the end.

    Args:
        folder: the folder of the record.
        objects: the place that the files are sent to.
        path: the path of the record in that place.
        notify: called once with a message, on the first failure of the place that no other caller waits for.
    """

    def __init__(self, folder: Path, objects: Objects, path: str, notify: Callable[[str], None]) -> None:
        self._folder = folder
        self._objects = objects
        self._path = path
        self._notify = notify
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}  # file to the time from which it may be sent
        self._after: dict[str, str] = {}  # file to the file that must be sent before it
        self._replaced: dict[str, str] = {}  # file to the file that it replaces
        self._sending: dict[str, int] = {}  # file to the number of the call during which its try began
        self._call = 0
        self._growing: dict[str, float] = {}  # growing file to the seconds that it waits
        self._pause = 0.0
        self._resume = 0.0
        self._failure: StorageError | None = None
        self._told = False
        self._waited_for = False
        self._last_call = False
        self._closed = False
        self._workers = 0

    def put(self, name: str, *, after: str | None = None) -> None:
        """The file is complete or has changed: send it soon. But first send the last state of the file `after`."""
        with self._changed:
            self._growing.pop(name, None)
            if after is not None:
                self._after[name] = after
            self._due[name] = 0.0
            self._get_to_work()

    def put_instead(self, name: str, former: str) -> None:
        """The file is complete and replaces a file that was growing.

        The replaced file is not sent any more. It is removed from the place after this file has arrived.
        """
        with self._changed:
            self._due.pop(former, None)
            self._growing.pop(former, None)
            self._replaced[name] = former
            self.put(name, after=former)

    def grew(self, name: str) -> None:
        """The file has grown and will grow further: send it from time to time."""
        with self._changed:
            if name not in self._due:
                self._due[name] = time.monotonic() + self._growing.setdefault(name, GROWING_SECONDS)
                self._get_to_work()

    def knock(self, name: str, within: float) -> None:
        """Send the first file, and wait at most `within` seconds for the answer of the place.

        Raises:
            StorageError: the place failed. The file is tried again like any other file.
        """
        with self._changed:  # no other caller gets the failure that this call waits for
            self.put(name)
            self.settle(within)

    def settle(self, within: float | None = None) -> bool:
        """Wait until everything has been sent. Files that failed before are tried once more.

        Args:
            within: the maximum number of seconds to wait; None for no limit.

        Returns:
            Whether everything has been sent.

        Raises:
            StorageError: the place failed again. The files that were not sent can still be sent later.
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
        """Send nothing more. A file that is being sent may still arrive."""
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
            except Exception as error:  # noqa: BLE001  without this thread, the run would wait forever
                self._failed(name, StorageError(f"cannot send {name}: {type(error).__name__}: {error}"))
            else:
                self._sent(name, time.monotonic() - began)

    def _next(self) -> str | None:
        """The next file to send, marked as being sent; None after `close`."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                name = self._first()
                if name is not None and self._time_of(self._due[name]) <= now:
                    del self._due[name]
                    self._sending[name] = self._call
                    return name
                self._changed.wait(None if name is None else self._time_of(self._due[name]) - now)
            return None

    def _first(self) -> str | None:
        """The file that is sent next, as soon as it may be sent: a complete one, if there is any, in their order."""
        first: str | None = None
        for name in filter(self._may_go, self._due):
            if not self._due[name]:  # a run in which nothing has changed has thousands of these at once
                return name
            if first is None or self._due[name] < self._due[first]:
                first = name
        return first

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
            if name in self._replaced.values():  # the file that replaces it has all its content
                self._changed.notify_all()
                return
            self._due.setdefault(name, 0.0)
            # If a try began before the last call, it is not the last try: it is repeated.
            if not (self._last_call and began < self._call):
                self._failure = error
                self._pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, 2 * self._pause))
                self._resume = time.monotonic() + self._pause
                # In a last call, the waiting caller gets this failure. Nothing is tried again before that.
                self._last_call = False
            tell = not (self._told or self._waited_for or self._closed)
            self._told = self._told or tell
            self._changed.notify_all()
        if tell:
            self._notify(f"results stay on this machine for now: {error}")
