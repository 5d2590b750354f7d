"""Who may read what the server shows: only the browser that was given its address (docs/adr/0056)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dockercise_prefect.results.report.pages import page
from dockercise_prefect.results.serving.answers import FILE_POLICY, POLICY, message_answer, page_answer

TOKEN = "token"  # noqa: S105  the name of the parameter
"""The parameter of the first address."""

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer."""

_HOW = (
    "Open the address that the command printed. It works once: if somebody else has opened it, end the command and start it "
    "again. If this browser has opened it before, follow this link:"
)

_OWN_SITE = {"same-origin", "none"}


class Gate:
    """Passes on the requests of one browser, and refuses all others.

    The browser proves itself with a cookie, which it gets once, for the token in the first address. Requests for other host
    names are refused, since a page of another site may have let its name point to this machine. Requests that other sites'
    pages make are refused, except that somebody may follow a link.

    Args:
        app: what answers the requests that are passed on.
        port: the port of the server.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.token: str | None = secrets.token_urlsafe(32)
        self._app = app
        self._hosts = ([f"127.0.0.1:{port}"], [f"localhost:{port}"])
        # Browsers send a cookie to all ports of a host: without the port, two servers would overwrite each other's.
        self._cookie = f"dockercise-results-{port}"
        self._secret = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        request = Request(scope, receive)
        await (self._refusal(request) or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that is not passed on."""
        if request.headers.getlist("host") not in self._hosts:
            hint = "Open it as 127.0.0.1 or localhost, with the port that the command printed."
            return message_answer(HTTPStatus.MISDIRECTED_REQUEST, "This server has another address.", hint)
        if request.method not in {"GET", "HEAD"}:
            return message_answer(HTTPStatus.METHOD_NOT_ALLOWED, "Nothing can be changed here.")
        if not _comes_from_here(request):
            return message_answer(HTTPStatus.FORBIDDEN, "Pages of other sites cannot read this.")
        if request.method == "GET" and self._redeem(request.query_params.get(TOKEN, "")):
            # Not a redirect: after one, a browser that came from another site would not send the cookie.
            opening = page_answer(page("opening.html.j2", path=_path(request)))
            opening.set_cookie(self._cookie, self._secret, httponly=True, samesite="strict")
            return opening
        if not _equal(request.cookies.get(self._cookie, ""), self._secret):
            return message_answer(HTTPStatus.UNAUTHORIZED, "This browser cannot read these results yet.", _HOW, _path(request))
        return None

    def _redeem(self, token: str) -> bool:
        if self.token is None or not _equal(token, self.token):
            return False
        self.token = None
        return True


def _comes_from_here(request: Request) -> bool:
    """Whether the request is of our own pages or of the user, who may also follow a link of another site to a page.

    Browsers say it in headers that pages cannot set (W3C, "Fetch Metadata Request Headers"). Other programs say nothing.
    """
    if request.headers.get("sec-fetch-site", "none") in _OWN_SITE:
        return True
    return request.headers.get("sec-fetch-mode") == "navigate" and request.headers.get("sec-fetch-dest") == "document"


def _path(request: Request) -> str:
    """The path of the request, as a link that cannot lead to another host."""
    return quote(f"/{request.scope['path'].lstrip('/')}")


def _equal(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault(POLICY, FILE_POLICY)
        await send(message)

    return sending
