"""Sends the sign of life of a run again and again, as long as its process lives (docs/adr/0033)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import replace
from types import TracebackType
from typing import Self
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once
from dockercise_prefect.orchestration.prefect.flow_run import attempt
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign, sign_now

BEAT_SECONDS = 30.0
"""How many seconds pass between two signs of life."""

ANSWER_SECONDS = 15.0
"""How many seconds Prefect has to answer one of them."""

GUARDIAN_SECONDS = 5.0
"""How many seconds a run waits until Prefect knows its guardian."""

LAST_SECONDS = 1.0
"""How many seconds the end of the run waits for a sign that is being sent."""


class Heartbeat:
    """Sends the sign of life of one flow run, in a thread of its own. A context manager.

    It does not report failures: while Prefect does not answer, the next sign is sent at its time.

    Args:
        flow_run_id: the id of the flow run.
        sign: what is sent.
        every: how many seconds pass between two signs.
    """

    def __init__(self, flow_run_id: UUID, sign: Sign, every: float = BEAT_SECONDS) -> None:
        self.flow_run_id = flow_run_id
        self._sign = sign
        self._every = every
        self._sent: Sign | None = None
        self._sending = threading.Condition()
        self._due = threading.Event()
        self._over = threading.Event()
        # A thread that Prefect did not start has neither the flow run nor its API in its context.
        context = copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._work), name="heartbeat", daemon=True)

    def has_record(self, url: str) -> None:
        """From now on, the sign names the record of the run. It is sent at once."""
        self._sign = replace(self._sign, record=url)
        self._due.set()

    def has_guardian(self, owner: str) -> None:
        """From now on, the sign names the guardian of the run. Returns when it was sent, or when Prefect does not answer.

        Until Prefect knows the guardian, a run whose process dies looks dead to everybody who looks for dead runs.
        """
        self._sign = sign = replace(self._sign, guardian=owner)
        self._due.set()
        with self._sending:
            self._sending.wait_for(lambda: self._sent is sign, GUARDIAN_SECONDS)

    def __enter__(self) -> Self:
        """The first sign is sent now."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """No further sign is sent."""
        self._over.set()
        self._due.set()
        self._thread.join(LAST_SECONDS)

    def _work(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(asking_once())
            client = stack.enter_context(get_client(httpx_settings=answered_within(ANSWER_SECONDS), sync_client=True))
            while not self._over.is_set():
                self._due.clear()
                sign = self._sign
                with suppress(Exception):  # whatever comes back instead of an answer, the run and the next sign go on
                    client.update_flow_run_labels(self.flow_run_id, sign.labels())
                with self._sending:
                    self._sent = sign
                    self._sending.notify_all()
                if not self._over.is_set():
                    self._due.wait(self._every)


_CURRENT: ContextVar[Heartbeat | None] = ContextVar("heartbeat", default=None)


@contextmanager
def beating(flow_run: FlowRun) -> Iterator[Heartbeat]:
    """Inside, the flow run has a heartbeat: the one that the caller is already in, otherwise a new one."""
    current = _CURRENT.get()
    if current is not None and current.flow_run_id == flow_run.id:
        yield current
        return
    with Heartbeat(flow_run.id, sign_now(attempt(flow_run))) as heartbeat:
        token = _CURRENT.set(heartbeat)
        try:
            yield heartbeat
        finally:
            _CURRENT.reset(token)
