"""Runs an HTTP server in the foreground, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dockercise_prefect.signals import interruptions

HEAD_SECONDS = 10.0
"""Seconds that the head of a request may take to arrive, counted from the connection or from its first byte."""


class ForegroundServer(uvicorn.Server):
    """Calls `ready` when it has started. The caller handles signals, because uvicorn would raise them again after its end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class TimedConnection(H11Protocol):
    """Uvicorn's HTTP/1.1 protocol, with a limit on the time that a request's head may take. Uvicorn itself waits forever."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._arrived()
        elif self._deadline is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._close)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if not self._answering:
            self.transport.close()


def address_of(listener: socket.socket) -> str:
    """The URL at which a socket can be reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


async def serve_until_signal(server: uvicorn.Server, listener: socket.socket) -> None:
    """Answer requests until a signal asks to end. Requests that have already arrived are still answered.

    Args:
        server: answers the requests.
        listener: the socket; it is closed at the end.
    """
    loop = asyncio.get_running_loop()
    for number in interruptions():
        loop.add_signal_handler(number, _end, server)
    try:
        await server.serve(sockets=[listener])
    finally:
        for number in interruptions():
            loop.remove_signal_handler(number)


def _end(server: uvicorn.Server) -> None:
    server.should_exit = True
