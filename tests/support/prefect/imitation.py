"""A small HTTP server that answers like Prefect's, of any version and in any state."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Mapping[str, tuple[int, Any]]


@contextmanager
def imitation(answers: Answers, login: str | None = None) -> Iterator[str]:
    """The address of the API.

    Args:
        answers: the status and the JSON of each path below `/api`; text is sent as it is. Other paths are not found.
        login: the value of the header that every request must have; None for no login.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = answers.get(self.path.removeprefix("/api"), (404, {"detail": "Not Found"}))
            if login is not None and self.headers.get("Authorization") != login:
                status, answer = 401, {"exception_message": "Unauthorized"}
            body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the names that http.server uses

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
        server.shutdown()


def healthy(version: str) -> dict[str, tuple[int, Any]]:
    """The answers of a healthy server of that version."""
    return {"/admin/version": (200, f'"{version}"'), "/ready": (200, {"message": "OK"}), "/health": (200, True)}
