"""Runs a receiver on a socket until a signal ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.http_server import ForegroundServer, TimedConnection, serve_until_signal

MOST_CONNECTIONS = 500
"""The most connections at the same time; further ones are answered with 503."""

_KEEP_ALIVE_SECONDS = 15
_ENDING_SECONDS = 15
_BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens.

    Args:
        host: a name or address of this machine.
        port: the port; 0 for any free one.

    Raises:
        WebhookError: the address does not exist on this machine, or is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise WebhookError(
            f"cannot listen on {host}:{port}: {reason}", "is a receiver already running? Choose another port with `--port`"
        ) from error
    return listener


async def serve(app: Starlette, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until a signal asks to end. Requests that have already arrived are still answered.

    Args:
        app: the application that answers.
        listener: the socket; it is closed at the end.
        ready: called as soon as requests are answered.
    """
    await serve_until_signal(make_server(app, ready), listener)


def make_server(app: Starlette, ready: Callable[[], None]) -> uvicorn.Server:
    """A server that writes no log of its own and does not handle signals; `ready` is called as soon as it answers."""
    config = uvicorn.Config(
        app,
        http=TimedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_ENDING_SECONDS,
    )
    return ForegroundServer(config, ready)
