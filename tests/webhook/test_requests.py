"""Requests as bytes: too large, too slow, or not a delivery at all."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.webhook.receiver.body import LARGEST
from tests.webhook.payloads import (
    github_push,
    github_sent,
)
from tests.webhook.receiving import BRISK, Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld


def connected(receiver: Receiving) -> socket.socket:
    host, port = receiver.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=120)


def rest_of(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def raw(receiver: Receiving, *parts: bytes) -> bytes:
    """Send bytes unchanged; returns everything that is answered until the connection is closed."""
    with connected(receiver) as connection:
        for part in parts:
            connection.sendall(part)
        return rest_of(connection)


def test_a_body_that_says_it_is_too_big(receiver: Receiving) -> None:
    """A body that announces more bytes than any payload has is refused before it is sent."""
    answer = raw(receiver, f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.rpartition(b"\r\n")[2])["result"] == "too big"


def test_a_body_that_does_not_say_how_big_it_is(receiver: Receiving) -> None:
    """A body in chunks is cut off if it is larger than any payload."""
    size = LARGEST + 1
    answer = raw(
        receiver, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", f"{size:x}\r\n".encode(), b"x" * size
    )

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_slow_senders(world: ScriptedWorld, tmp_path: Path) -> None:
    """The receiver gives up a body that does not arrive; other requests do not wait for it."""
    world.register("acme/infra")
    with receiving(world.hub, tmp_path / "data", pace=replace(BRISK, body_seconds=0.3)) as receiver:
        answer = raw(receiver, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert receiver.result(github_sent(github_push("acme/infra"))) == (202, "queued")


def test_slow_heads(receiver: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a request is closed, also after an answered request."""
    monkeypatch.setattr("dockercise_prefect.http_server.TimedConnection.head_seconds", 0.3)

    assert raw(receiver) == b""
    assert raw(receiver, b"POST / HTTP/1.1\r\nHost:") == b""
    with connected(receiver) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = b""
        while not answered.endswith(b"}"):
            answered += connection.recv(65536)
        connection.sendall(b"GET /he")
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert rest_of(connection) == b""


def test_other_requests(receiver: Receiving) -> None:
    """Other methods and paths are refused, and the answer reveals nothing about the program."""
    assert receiver.client.get("/").status_code == 405
    assert receiver.client.post("/admin").status_code == 404
    assert "server" not in receiver.client.get("/health").headers
