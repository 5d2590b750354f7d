"""Waiting for an engine that may never answer, until somebody says that it is enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from dockercise_prefect.errors import EngineError

R = TypeVar("R")


class LetGoError(EngineError):
    """Nobody waits for the engine any more."""

    def __init__(self) -> None:
        super().__init__("the engine did not answer in time", "is it still running? Check with `docker info`")


class LettingGo:
    """Calls that their callers can be freed from, all at once. Thread-safe.

    Each call is made in a thread of its own that does not keep the process from ending: a thread that waits for an engine
    cannot be interrupted, and may wait for minutes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[Future[Any]] = set()
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more."""
        return self._gone

    def call(self, function: Callable[[], R]) -> R:
        """What the function returns; its exceptions are raised here.

        Raises:
            LetGoError: `let_go` was called before it returned.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._gone:
                raise LetGoError
            self._calls.add(future)
        context = copy_context()
        threading.Thread(target=lambda: context.run(_settle, future, function), daemon=True).start()
        try:
            return future.result()
        finally:
            with self._lock:
                self._calls.discard(future)

    def let_go(self) -> None:
        """Free all callers, now and later. Returns at once."""
        with self._lock:
            self._gone = True
            calls = list(self._calls)
        for future in calls:
            with suppress(InvalidStateError):  # it has just returned
                future.set_exception(LetGoError())


def _settle(future: Future[R], function: Callable[[], R]) -> None:
    with suppress(InvalidStateError):  # nobody waits for it any more
        try:
            future.set_result(function())
        except InvalidStateError:
            raise
        except BaseException as error:  # noqa: BLE001  raised where the result is asked for
            future.set_exception(error)
