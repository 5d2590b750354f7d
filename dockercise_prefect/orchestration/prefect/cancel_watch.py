"""Notices that somebody cancels the flow run in Prefect: in its UI, by its API, or with `dockercise cancel`.

Prefect only stores the wish. For flow runs of a deployment, the worker also sends SIGTERM to their process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from types import TracebackType
from typing import Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType

from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once
from dockercise_prefect.orchestration.scheduling.ports import BY_PREFECT

POLL_SECONDS = 2.0
"""How many seconds pass between two questions."""

ANSWER_SECONDS = 10.0
"""How many seconds Prefect has to answer one of them."""

LAST_SECONDS = 1.0
"""How many seconds the end of the run waits for an answer."""

_CANCELLED = frozenset({StateType.CANCELLING, StateType.CANCELLED})


class CancelWatch:
    """Asks Prefect for the state of one flow run again and again, in a thread of its own. A context manager.

    Each new state that asks the run to end is one request. A request calls what `reaches` has set. Before that, it is a SIGTERM
    for this process, because each phase of a run handles that; outside the main thread, where signals cannot be caught, it
    waits for `reaches`. While Prefect does not answer, nothing happens.

    Args:
        flow_run_id: the id of the flow run.
        every: how many seconds pass between two questions.
    """

    def __init__(self, flow_run_id: UUID, every: float = POLL_SECONDS) -> None:
        self._id = flow_run_id
        self._every = every
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._tell: Callable[[str], None] = (
            self._terminate if threading.current_thread() is threading.main_thread() else self._wait
        )
        self._is_waiting = False
        self._seen: set[UUID] = set()
        # A thread that Prefect did not start has neither the flow run nor its API in its context.
        context = copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._work), name="cancel watch", daemon=True)

    @contextmanager
    def reaches(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Inside, a request calls `tell` with what asks the run to end, in the thread of the watch."""
        with self._lock:
            before, self._tell = self._tell, tell
            if self._is_waiting:
                tell(BY_PREFECT)
        try:
            yield
        finally:
            with self._lock:
                self._tell = before

    def __enter__(self) -> Self:
        """The first question is asked after a while: a flow run that begins is not cancelled."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """No further question is asked."""
        self._over.set()
        self._thread.join(LAST_SECONDS)

    def _work(self) -> None:
        if is_over := self._over.wait(self._every):  # most short runs need no client
            return
        with ExitStack() as stack:
            stack.enter_context(asking_once())
            client = stack.enter_context(get_client(httpx_settings=answered_within(ANSWER_SECONDS), sync_client=True))
            while not is_over:
                with suppress(Exception):  # whatever comes back instead of an answer, the run and the next question go on
                    self._ask(client)
                is_over = self._over.wait(self._every)

    def _ask(self, client: SyncPrefectClient) -> None:
        state = client.read_flow_run(self._id).state
        if state is None or state.type not in _CANCELLED or state.id in self._seen or self._over.is_set():
            return
        self._seen.add(state.id)
        with self._lock:
            self._tell(BY_PREFECT)

    def _terminate(self, _by: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def _wait(self, _by: str) -> None:
        self._is_waiting = True
