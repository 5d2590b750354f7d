"""Stands in front of an AWS on loopback, records each call, and answers the calls that the AWS does not know."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, urlsplit

_OF_THIS_CONNECTION = {"content-length", "transfer-encoding", "connection", "date", "server"}
_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/")


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        service: the service for which it was signed: `ssm`.
        operation: `StartSession`; empty for services whose operations are methods and paths.
        key: the id of the key that it was signed with.
        region: the region for which it was signed.
        given: its arguments; empty for services whose operations are methods and paths.
    """

    service: str
    operation: str
    key: str
    region: str
    given: Mapping[str, Any]


@dataclass
class Recorder:
    """A running recorder.

    Attributes:
        url: its address, to use instead of the address of the AWS.
        calls: all calls, in order.
        answers: answers operations of services with a JSON protocol in place of the AWS, by their names.
    """

    url: str
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)

    def called(self, operation: str) -> list[Call]:
        """The calls of an operation."""
        return [call for call in self.calls if call.operation == operation]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: SplitResult) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.recorder = Recorder(f"http://127.0.0.1:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        server = cast("_Server", self.server)
        body = self._body()
        call = _call(self.headers.get("authorization") or "", self.headers.get("x-amz-target") or "", body)
        server.recorder.calls.append(call)
        answer = server.recorder.answers.get(call.operation)
        if answer is not None:
            text = json.dumps(answer(call.given)).encode()
            self._answer(200, [("content-type", "application/x-amz-json-1.1")], text)
            return
        connection = http.client.HTTPConnection(server.target.hostname or "", server.target.port, timeout=120)
        own = {name: text for name, text in self.headers.items() if name.lower() not in _OF_THIS_CONNECTION}
        connection.request(self.command, self.path, body, own)
        response = connection.getresponse()
        self._answer(response.status, response.getheaders(), response.read())
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

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, text in headers:
            if name.lower() not in _OF_THIS_CONNECTION:
                self.send_header(name, text)
        told = next((text for name, text in headers if name.lower() == "content-length"), "0")
        self.send_header("content-length", told if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in the base class
        """Log nothing."""


def _call(authorization: str, target: str, body: bytes) -> Call:
    scope = _SCOPE.search(authorization)
    service, key, region = (scope["service"], scope["key"], scope["region"]) if scope else ("", "", "")
    if target:
        return Call(service, target.rpartition(".")[2], key, region, json.loads(body))
    if service in {"sts", "ec2", "cloudformation", "iam"}:  # the services with a query protocol
        form = dict(parse_qsl(body.decode()))
        return Call(service, form.get("Action", ""), key, region, form)
    return Call(service, "", key, region, {})


@contextmanager
def recording(target: str) -> Iterator[Recorder]:
    """Run a recorder in front of `target`, an address like http://127.0.0.1:5000."""
    server = _Server(urlsplit(target))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.recorder
    finally:
        server.shutdown()
        server.server_close()
