"""Runs an HTTP server in the foreground, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from dockercise_prefect.signals import interruptions


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
