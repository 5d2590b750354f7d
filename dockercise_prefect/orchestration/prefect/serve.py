"""The process of the local Prefect server: Prefect's application behind a guard against foreign pages.

    python -m dockercise_prefect.orchestration.prefect.serve FD SECRET_FILE

FD is a listening socket. The process does the same as `prefect server start`, with the same settings.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dockercise_prefect.orchestration.prefect import identity
from dockercise_prefect.orchestration.prefect.guard import Guard
from dockercise_prefect.orchestration.prefect.local_server import LocalServer, started
from dockercise_prefect.settings import read_settings


class Identified:
    """An ASGI application that answers one path with a proof of its identity. The wrapped application answers all others."""

    def __init__(self, app: ASGIApp, secret: bytes, claim: Mapping[str, Any]) -> None:
        """Wrap an application. `secret` and `claim` are the arguments of `identity.answer`."""
        self._app = app
        self._secret = secret
        self._claim = claim

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] != "http" or scope["path"] != identity.PATH:
            await self._app(scope, receive, send)
            return
        challenge = Request(scope).query_params.get(identity.QUESTION, "")
        await JSONResponse(identity.answer(self._secret, challenge, self._claim))(scope, receive, send)


class OwnServerOnly:
    """An ASGI application that limits its pages to requests to their own server, by a Content-Security-Policy.

    Prefect's second UI requests settings from another company's server before it has read that analytics are off.
    """

    POLICY = "connect-src 'self' blob: data:"

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. The answer tells browsers which requests the page may send."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = self.POLICY
            await send(message)

        await self._app(scope, receive, send_with_policy)


def serve(listener: socket.socket, secret: bytes) -> None:
    """Answer requests until a signal asks to end.

    Args:
        listener: a socket that is already listening.
        secret: the secret of the data folder of this server.
    """
    server = get_current_settings().server
    me = LocalServer(listener.getsockname()[1], os.getpid(), started(os.getpid()) or "")
    app = Guard(
        Identified(OwnServerOnly(create_app(final=True)), secret, me.as_json()), frozenset(read_settings().server_hosts)
    )
    config = uvicorn.Config(
        app,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
    )
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    """Serve with the arguments of the command line."""
    descriptor, secret_file = sys.argv[1:]
    listener = socket.socket(fileno=int(descriptor))
    listener.set_inheritable(False)
    serve(listener, Path(secret_file).read_bytes())


if __name__ == "__main__":
    main()
