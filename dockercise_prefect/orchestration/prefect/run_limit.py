"""Limits how many flow runs, or stages, go on at once, with Prefect's global concurrency limits.

A slot is leased. Its holder renews the lease as long as it lives, so the slot of a process that died is free again soon.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.exceptions import PrefectHTTPStatusError

from dockercise_prefect.orchestration.client.settings import asking_once

LEASE_SECONDS = 60.0
"""How many seconds a slot stays occupied without a sign of its holder, the minimum of the API."""

RENEW_SECONDS = 15.0
"""How many seconds pass between two renewals."""


class Lease:
    """A slot that is occupied. It stays so until `end`, or for `LEASE_SECONDS` after the death of this process.

    Args:
        client: of the API.
        id_: of the lease.
        on_lost: called once, in another thread, if Prefect has not renewed the lease for so long that others may have the slot.
    """

    def __init__(self, client: SyncPrefectClient, id_: UUID, on_lost: Callable[[], None] | None = None) -> None:
        self.id = id_
        self._on_lost = on_lost
        self._client = client
        self._over = threading.Event()
        context = copy_context()  # a thread that Prefect did not start does not have its API in its context
        threading.Thread(target=context.run, args=(self._renew,), name="run limit", daemon=True).start()

    def end(self) -> None:
        """Return the slot. If Prefect does not answer, the lease ends by itself."""
        self._over.set()
        with suppress(Exception):
            self._client.release_concurrency_slots_with_lease(self.id)

    def _renew(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(asking_once())
            client = stack.enter_context(get_client(sync_client=True))
            renewed = time.monotonic()
            while not self._over.is_set():
                with suppress(Exception):  # the next renewal may succeed
                    client.renew_concurrency_lease(self.id, LEASE_SECONDS)
                    renewed = time.monotonic()
                if self._on_lost is not None and time.monotonic() - renewed > LEASE_SECONDS:
                    self._on_lost()
                    self._on_lost = None
                self._over.wait(RENEW_SECONDS)


@contextmanager
def held(client: SyncPrefectClient, lease: UUID | None) -> Iterator[None]:
    """Inside, a slot that a process has occupied which has died stays occupied. Then it is returned.

    Args:
        client: of the API.
        lease: the id of its lease; None if there is none.
    """
    if lease is None:
        yield
        return
    slot = Lease(client, lease)
    try:
        yield
    finally:
        slot.end()


class RunLimit:
    """A slot of one limit. A context manager that returns the slot.

    While Prefect does not answer for longer than the lease, the run goes on, and another run may get the slot. Prefect's own
    `concurrency` logs an error for each try without a free slot, and goes on trying after its caller was interrupted.

    Args:
        client: of the API.
        name: of the limit, which is created or changed if needed.
        most: how many runs go on at once.
        flow_run_id: the flow run that wants a slot.
        on_lost: see `Lease`.
    """

    def __init__(
        self,
        client: SyncPrefectClient,
        name: str,
        most: int,
        flow_run_id: UUID,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._most = most
        self._holder = ConcurrencyLeaseHolder(type="flow_run", id=flow_run_id)
        self._on_lost = on_lost
        self._lease: Lease | None = None

    def __enter__(self) -> Self:
        """Make sure that the limit exists. Then `occupy` gets a slot."""
        self._client.upsert_global_concurrency_limit_by_name(self._name, self._most)
        return self

    @property
    def lease(self) -> UUID | None:
        """The id of the lease of its slot; None as long as it has none."""
        return None if self._lease is None else self._lease.id

    def occupy(self) -> bool:
        """Occupy a slot if one is free. Return whether that was possible.

        Raises:
            httpx.HTTPError, PrefectException: the API does not answer.
        """
        try:
            answer = self._client.increment_concurrency_slots_with_lease(
                [self._name], 1, "concurrency", LEASE_SECONDS, self._holder
            )
        except PrefectHTTPStatusError as error:
            if error.response.status_code == httpx.codes.LOCKED:
                return False
            raise
        self._lease = Lease(self._client, UUID(answer.json()["lease_id"]), self._on_lost)
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Return the slot. If Prefect does not answer, the lease ends by itself."""
        if self._lease is not None:
            self._lease.end()
