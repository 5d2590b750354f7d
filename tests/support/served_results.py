"""A server that shows results behind a real socket, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from starlette.types import ASGIApp

from dockercise_prefect.http_server import address_of
from dockercise_prefect.results.serving.gate import TOKEN, Gate
from dockercise_prefect.results.serving.server import listen, make_server

PATIENCE = 120
"""Seconds to wait for the server."""


@dataclass(frozen=True)
class Served:
    """A running server. `first` is the first address, with its token; it works once."""

    url: str
    first: str

    def client(self) -> httpx.Client:
        """A browser that has no cookie yet."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    @contextmanager
    def admitted(self) -> Iterator[httpx.Client]:
        """A browser that has opened the first address."""
        with self.client() as client:
            client.get(self.first).raise_for_status()
            yield client


@contextmanager
def served(app: ASGIApp, path: str = "/") -> Iterator[Served]:
    """A server for these pages that is ready inside, and has ended at the end."""
    ready = threading.Event()
    with listen(0) as listener:
        url = address_of(listener)
        gate = Gate(app, listener.getsockname()[1])
        server = make_server(gate, ready.set)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        try:
            assert ready.wait(PATIENCE)
            yield Served(url, f"{url}{path}?{TOKEN}={gate.token}")
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
