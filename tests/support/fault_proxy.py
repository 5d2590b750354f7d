"""An HTTP proxy in front of a service. Tests can make it refuse, fail or delay requests."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, cast
from urllib.parse import SplitResult, urlsplit

Fault = Literal["refused", "403", "500", "slow", "cut"]
Judge = Callable[[int, str, str], Fault | None]
"""Takes the number of a request, its method and its path, and returns the fault of the request."""

PATIENCE = 120
"""Seconds that a request is delayed, unless the test ends the faults earlier."""

_OF_THIS_CONNECTION = {"content-length", "transfer-encoding", "connection"}
_RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"


def _nothing(_number: int, _method: str, _path: str) -> None:
    return None


@dataclass
class FaultProxy:
    """A running proxy.

    Attributes:
        url: its address, to use instead of the service's address.
        judge: decides about each request. It may be changed at any time.
        seen: the method and path of each request.
    """

    url: str
    judge: Judge = _nothing
    seen: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _healed: threading.Event = field(default_factory=threading.Event)

    def after(self, count: int, fault: Fault) -> None:
        """After that many requests, all requests fail."""
        self.judge = lambda number, _method, _path: fault if number >= count else None

    def heal(self) -> None:
        """End all faults. Delayed requests continue."""
        self.judge = _nothing
        self._healed.set()

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault of this request. A delayed request is delayed in this method."""
        with self._lock:
            fault = self.judge(len(self.seen), method, path)
            self.seen.append((method, path))
        if fault == "slow":
            self._healed.wait(PATIENCE)
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: SplitResult) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.proxy = FaultProxy(f"http://127.0.0.1:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        server = cast("_Server", self.server)
        body = self._body()
        fault = server.proxy.fault(self.command, self.path)
        if fault == "refused":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close_connection = True
        elif fault in {"403", "500"}:
            self._answer(int(fault), [("content-type", "text/plain")], b"it is not your day", b"it is not your day")
        else:
            connection = http.client.HTTPConnection(server.target.hostname or "", server.target.port, timeout=PATIENCE)
            own = {name: text for name, text in self.headers.items() if name.lower() not in _OF_THIS_CONNECTION}
            connection.request(self.command, self.path, body, own)
            answer = connection.getresponse()
            content = answer.read()
            self.close_connection = fault == "cut"
            arrives = content[: len(content) // 2] if self.close_connection else content
            self._answer(answer.status, answer.getheaders(), content, arrives)
            connection.close()

    do_GET = do_PUT = do_POST = do_PATCH = do_HEAD = do_DELETE = _pass_on  # noqa: N815  the base class's names

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("transfer-encoding") or "").lower():
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, arrives: bytes) -> None:
        self.send_response_only(status)
        for name, text in headers:
            if name.lower() not in _OF_THIS_CONNECTION:
                self.send_header(name, text)
        told = next((text for name, text in headers if name.lower() == "content-length"), "0")
        self.send_header("content-length", told if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else arrives)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in the base class
        """Log nothing."""


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Run a proxy in front of `target`, an address like http://127.0.0.1:5000."""
    server = _Server(urlsplit(target))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.proxy
    finally:
        server.proxy.heal()
        server.shutdown()
        server.server_close()
