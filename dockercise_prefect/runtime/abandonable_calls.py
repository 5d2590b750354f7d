"""Calls of an engine that may never answer: all their callers can stop waiting immediately."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from dockercise_prefect.errors import EngineError

R = TypeVar("R")


class AbandonedError(EngineError):
    """The caller stopped waiting for the engine."""

    def __init__(self) -> None:
        super().__init__("the engine did not answer in time", "is it still running? `dockercise doctor` examines it")


class AbandonableCalls:
    """Makes calls that can be abandoned, all at once. Thread-safe.

    Each call runs in its own daemon thread, because a thread that waits for an engine cannot be interrupted and may wait for
    minutes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[Future[Any]] = set()
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether `abandon` was called."""
        return self._abandoned

    def call(self, function: Callable[[], R]) -> R:
        """Call the function in another thread. Return its result, or raise its exception.

        Raises:
            AbandonedError: `abandon` was called before it returned.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._abandoned:
                raise AbandonedError
            self._calls.add(future)
        context = copy_context()
        threading.Thread(target=lambda: context.run(_settle, future, function), daemon=True).start()
        try:
            return future.result()
        finally:
            with self._lock:
                self._calls.discard(future)

    def abandon(self) -> None:
        """Raise `AbandonedError` in all callers, now and later. Returns immediately."""
        with self._lock:
            self._abandoned = True
            calls = list(self._calls)
        for future in calls:
            with suppress(InvalidStateError):  # it has just returned
                future.set_exception(AbandonedError())


def _settle(future: Future[R], function: Callable[[], R]) -> None:
    with suppress(InvalidStateError):  # the call was abandoned
        try:
            future.set_result(function())
        except InvalidStateError:
            raise
        except BaseException as error:  # noqa: BLE001  raised again for the caller, by `Future.result`
            future.set_exception(error)
