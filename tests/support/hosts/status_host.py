"""A host on loopback that receives commit statuses. The test sets its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Taken:
    """A request: its unchanged path, its headers with names in lower case, and its parsed body."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class StatusHost:
    """A running host. If `status` is None, it cuts the connection."""

    site: str
    status: int | None = 201
    answer: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)


@contextmanager
def running_host() -> Iterator[StatusHost]:
    """Run a host."""
    host = StatusHost("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(self.rfile.read(int(headers["content-length"])))
            host.taken.append(Taken(self.path, headers, body))
            if host.status is None:
                return
            text = json.dumps(host.answer).encode()
            self.send_response(host.status)
            for name, value in {**host.headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.site = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
