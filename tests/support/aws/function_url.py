"""A function URL on loopback: turns HTTP requests into events as AWS does, and the answers of a function into responses.

AWS's documentation of function URLs describes the events (payload format 2.0). A body is text if its type is text, JSON or XML,
and base64 otherwise.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGEST_EVENT = 6_291_556
"""Bytes of an event that Lambda takes in a synchronous call."""

_TEXTS = ("text/", "application/json", "application/xml", "application/javascript")

Function = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
"""Takes an event and the id of the request, and returns an answer."""

_numbers = itertools.count(1)


def event_of(method: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event of a request."""
    small = {name.lower(): text for name, text in headers.items()}
    plain = small.get("content-type", "").startswith(_TEXTS)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": small,
        "requestContext": {
            "http": {"method": method, "path": "/", "sourceIp": "192.0.2.1"},
            "requestId": "r",
            "stage": "$default",
        },
        "body": body.decode() if plain else base64.b64encode(body).decode("ascii"),
        "isBase64Encoded": not plain,
    }


@contextmanager
def function_url(function: Function) -> Iterator[str]:
    """Serve a function, and give its URL."""

    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            event = event_of("POST", dict(self.headers.items()), body)
            if len(event["body"]) > LARGEST_EVENT:
                self._answer(413, b'{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}')
                return
            answer = function(event, f"request-{next(_numbers)}")
            self._answer(answer["statusCode"], answer["body"].encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name of the base class
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # looks often whether it shall end
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
