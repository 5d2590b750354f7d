"""Podman's answers about itself, at an address on loopback: enough to see that it is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VERSION = {
    "Version": "5.8.6",
    "ApiVersion": "1.44",
    "MinAPIVersion": "1.24",
    "Components": [{"Name": "Podman Engine", "Version": "5.8.6"}, {"Name": "Conmon", "Version": "conmon version 2.1.13"}],
}


@contextmanager
def podman(asked: list[str]) -> Iterator[str]:
    """The address of a Podman that answers what it is, and nothing else.

    Args:
        asked: collects the path of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps(_VERSION).encode()
            self.send_response(200 if self.path.endswith("/version") else 500)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the names that http.server uses

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
