"""A small HTTP server in place of the receiver, which answers as the test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answering:
    """The server.

    Attributes:
        url: its address.
        statuses: the statuses of the next answers; the last one stays.
        bodies: the bodies of the requests, in order.
        answered: set after each answer.
    """

    url: str
    statuses: list[int]
    bodies: list[bytes] = field(default_factory=list)
    answered: threading.Event = field(default_factory=threading.Event)


@contextmanager
def answering(*statuses: int) -> Iterator[Answering]:
    """Run a server that answers with these statuses, one after the other."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            status = state.statuses.pop(0) if len(state.statuses) > 1 else state.statuses[0]
            content = json.dumps({"result": f"r{status}", "message": f"m{status}"}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            state.answered.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Answering(f"http://127.0.0.1:{server.server_port}/", list(statuses))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
