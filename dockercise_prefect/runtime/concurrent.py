"""Small tools for threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from dockercise_prefect.errors import DockerciseError

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 4
"""How many background tasks run at the same time."""


class Once(Generic[K, R]):
    """Values that are made at most once for each key: the first caller makes the value, and the others wait for it.

    Thread-safe. An error is not kept: callers that wait get it too, and a later caller tries again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[K, Future[R]] = {}

    def get(self, key: K, make: Callable[[], R]) -> R:
        """The value for the key; `make` is called if there is no value yet."""
        with self._lock:
            known = self._made.get(key)
            future = self._made.setdefault(key, Future())
        if known is None:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    del self._made[key]
                future.set_exception(error)
                raise
        return future.result()


class Background:
    """Runs background work, a few tasks at a time, until it is closed.

    Thread-safe. A `DockerciseError` of a task is not reported: code that needs the task's result gets the error there, and the
    end of a run removes and reports what is left. The threads do not keep the process from ending. Otherwise, an engine that
    does not answer would keep it alive for minutes.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._things: deque[Callable[[], object]] = deque()
        self._workers = 0

    def do(self, thing: Callable[[], object]) -> None:
        """Run the task soon."""
        with self._changed:
            self._things.append(thing)
            if self._workers == AT_ONCE:
                return
            self._workers += 1
        threading.Thread(target=self._work, name="dockercise-background", daemon=True).start()

    def close(self, seconds: float | None = None) -> None:
        """Wait until all tasks are done, at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._workers, seconds)

    def _work(self) -> None:
        while (thing := self._next()) is not None:
            try:
                with suppress(DockerciseError):
                    thing()
            except BaseException:
                self._leave()
                raise

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            if self._things:
                return self._things.popleft()
            self._leave()
            return None

    def _leave(self) -> None:
        with self._changed:
            self._workers -= 1
            self._changed.notify_all()


def run_each(function: Callable[[T], R], items: Iterable[T], *, at_once: int) -> list[R | DockerciseError]:
    """Call the function for every item, at most `at_once` at a time. Return results and errors in the order of the items.

    The threads end with the interpreter, so Ctrl-C does not wait for, say, a pull.

    Raises:
        BaseException: the first exception that is not a `DockerciseError`.
    """
    work: SimpleQueue[tuple[T, Future[R | DockerciseError]]] = SimpleQueue()
    futures: list[Future[R | DockerciseError]] = []
    for item in items:
        future: Future[R | DockerciseError] = Future()
        futures.append(future)
        work.put((item, future))

    def worker() -> None:
        while True:
            try:
                item, future = work.get_nowait()
            except Empty:
                return
            try:
                future.set_result(function(item))
            except DockerciseError as error:
                future.set_result(error)
            except BaseException as error:  # noqa: BLE001  raised again by `Future.result`
                future.set_exception(error)

    for _ in range(min(at_once, len(futures))):
        threading.Thread(target=worker, daemon=True).start()
    return [future.result() for future in futures]
