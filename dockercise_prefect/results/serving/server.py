"""Serves the pages of an account to one browser on this machine, until a signal ends it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from dockercise_prefect.errors import UsageError
from dockercise_prefect.http_server import ForegroundServer, TimedConnection, address_of, serve_until_signal
from dockercise_prefect.results.serving.gate import TOKEN, Gate

MOST_CONNECTIONS = 100
"""The most connections at the same time; further ones are answered with 503."""

_KEEP_ALIVE_SECONDS = 15
_ENDING_SECONDS = 5


def listen(port: int) -> socket.socket:
    """Open a socket that only this machine can reach.

    Args:
        port: the port; 0 for any free one.

    Raises:
        UsageError: the port is in use, or needs rights.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise UsageError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}", "choose another port with `--port`") from error


def serve(app: ASGIApp, listener: socket.socket, path: str, ready: Callable[[str], None]) -> None:
    """Answer one browser until a signal asks to end.

    Args:
        app: makes the answers.
        listener: the socket; it is closed at the end.
        path: the path of the first page.
        ready: called with the address of the first page as soon as requests are answered. Whoever opens it first can read
            everything.
    """
    gate = Gate(app, listener.getsockname()[1])
    first = f"{address_of(listener)}{path}?{TOKEN}={gate.token}"
    asyncio.run(serve_until_signal(make_server(gate, lambda: ready(first)), listener))


def make_server(app: ASGIApp, ready: Callable[[], None]) -> uvicorn.Server:
    """A server that writes no log, since addresses have the token; `ready` is called as soon as it answers."""
    config = uvicorn.Config(
        app,
        http=TimedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # everybody on this machine can cause warnings, which would be on the terminal of the user
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_ENDING_SECONDS,
    )
    return ForegroundServer(config, ready)
