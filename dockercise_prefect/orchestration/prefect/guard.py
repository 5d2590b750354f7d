"""Limits the local Prefect server to the requests of programs and of its own pages.

By default the server has no login, and every page that is open in a browser can send requests to 127.0.0.1. The browser says
where a request comes from, and a page cannot change that: `Host` is the requested name, `Origin` is the origin of the page
(always present in WebSockets and in requests that can change something), and `Sec-Fetch-Site` is the relation of the two.
Programs send no `Origin`.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of this machine that cannot be redirected to another machine, and that no foreign name can replace."""

HOSTS_VARIABLE = "DOCKERCISE_SERVER_HOSTS"

_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", re.ASCII)
_OTHER_SITES = frozenset({"cross-site", "same-site"})
_SHOWN = 200


class Guard:
    """An ASGI application that refuses the requests of foreign pages before the wrapped application gets them."""

    def __init__(self, app: ASGIApp, hosts: AbstractSet[str] = frozenset()) -> None:
        """Wrap an application.

        Args:
            app: answers the requests that are not refused.
            hosts: further names, besides this machine's own, under which the user reaches it.
        """
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request with status 403, or pass it on. WebSockets too."""
        reason = None
        if scope["type"] in {"http", "websocket"}:
            reason = refusal(Headers(scope=scope), scope.get("method", "GET"), self._hosts)
        if reason is None:
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse(reason, 403, {"X-Content-Type-Options": "nosniff"})(scope, receive, send)


def refusal(headers: Headers, method: str, hosts: AbstractSet[str] = frozenset()) -> str | None:
    """Why a request is refused; None if it is answered.

    Args:
        headers: the headers of the request, or of the handshake of a WebSocket.
        method: the method of the request.
        hosts: further names, besides this machine's own, under which the user reaches it.
    """
    asked = headers.getlist("host")
    host = asked[0].lower() if len(asked) == 1 else ""
    name = _name(host)
    if name not in LOOPBACK | hosts:
        return _refused(f"to the name {', '.join(asked)}" if asked else "without a name", name)
    for origin in headers.getlist("origin"):
        _, _, authority = origin.lower().partition("://")
        if authority != host and _name(authority) not in hosts:
            return _refused(f"from a page of {origin}", _name(authority))
    if headers.get("sec-fetch-site") in _OTHER_SITES and not _opens_a_page(headers, method):
        return _refused("from a page of another site", None)
    return None


def _opens_a_page(headers: Headers, method: str) -> bool:
    """Whether the user followed a link: the page opens on its own, and the linking page cannot read it."""
    return (
        method in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _name(authority: str) -> str | None:
    """The name in `name:port`."""
    found = _AUTHORITY.fullmatch(authority)
    return found["name"] if found else None


def _refused(how: str, name: str | None) -> str:
    text = f"Refused: this request came {how[:_SHOWN]}. This Prefect server only answers its own pages and local programs.\n"
    if name:
        text += (
            f"If you reach the server this way, set {HOSTS_VARIABLE}={name[:_SHOWN]}, then `dockercise down` and "
            "`dockercise up`.\n"
        )
    return text
