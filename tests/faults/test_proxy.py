"""The proxy of the fault tests: what it passes on unchanged, and what each kind of fault does."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dockercise_prefect.runtime.docker.connection import DEFAULT_SOCKET
from tests.engines.scripted import BUSYBOX
from tests.faults.plan import ENGINE_REQUESTS, Fault, Kind, Plan, random_plan
from tests.faults.proxy import Proxy, port_proxy, socket_proxy
from tests.support.engine_client import engine_client

ANSWER = json.dumps({"text": "x" * 500}).encode()
PATIENCE = 60.0


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/stream":
            self._echo()
            return
        self.send_response(200)
        if self.path == "/empty":
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_header("content-type", "application/json")
        if self.path == "/chunks":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for part in (ANSWER[:100], ANSWER[100:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("content-length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

    def _echo(self) -> None:
        """Switch to a stream, and send back what comes until the client has no more."""
        self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        self.close_connection = True
        while data := self.connection.recv(65536):
            self.connection.sendall(data)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in the base class
        """Log nothing."""


@pytest.fixture
def asked() -> list[str]:
    """The paths that reached the service."""
    return []


@pytest.fixture
def proxy(asked: list[str]) -> Iterator[Proxy]:
    """A proxy in front of a service that answers with JSON."""
    handler = type("Handler", (_Service,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        service.daemon_threads = True
        threading.Thread(target=service.serve_forever, daemon=True).start()
        with port_proxy(f"http://127.0.0.1:{service.server_port}/api") as proxy:
            yield proxy
        service.shutdown()


def get(proxy: Proxy, path: str = "/") -> tuple[int, bytes]:
    """Ask the proxy, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def connected(proxy: Proxy) -> socket.socket:
    """A plain connection to the proxy, switched to a stream."""
    parts = urlsplit(proxy.url)
    stream = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
    stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return stream


def everything(stream: socket.socket) -> bytes:
    """What comes until the end."""
    found = b""
    while data := stream.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("path", ["/", "/chunks"])
def test_answers_pass_unchanged(proxy: Proxy, path: str) -> None:
    """Without a fault, an answer arrives as the service gave it, with a length or in chunks."""
    assert get(proxy, path) == (200, ANSWER)


def test_a_stream_passes_in_both_directions(proxy: Proxy) -> None:
    """After an upgrade all bytes pass in both directions, and so does the end of one direction."""
    with connected(proxy) as stream:
        stream.sendall(b"one\r\n\r\ntwo")
        stream.shutdown(socket.SHUT_WR)

        assert everything(stream) == b"one\r\n\r\ntwo"


def test_the_nth_request_that_matches_is_dropped(proxy: Proxy, asked: list[str]) -> None:
    """A fault is done to the n-th request that matches, once; a dropped request does not reach the service."""
    course = proxy.follow(Plan(0, (Fault(Kind.DROP, "GET /a", number=2),)))

    assert get(proxy, "/a") == get(proxy, "/b") == (200, ANSWER)
    with pytest.raises(ConnectionError):
        get(proxy, "/a")
    assert get(proxy, "/a") == (200, ANSWER)
    assert asked == ["/a", "/b", "/a"]
    assert course.done == ["drop of GET /a"]


def test_a_lost_answer_was_asked_for(proxy: Proxy, asked: list[str]) -> None:
    """If an answer is lost, the service got the request."""
    proxy.follow(Plan(0, (Fault(Kind.LOSE, ""),)))

    with pytest.raises(ConnectionError):
        get(proxy)

    assert asked == ["/"]


@pytest.mark.parametrize("after", [0, 7, 100_000])
@pytest.mark.parametrize("path", ["/", "/chunks"])
def test_an_answer_is_cut(proxy: Proxy, path: str, after: int) -> None:
    """A cut answer never arrives whole, however short it is."""
    course = proxy.follow(Plan(0, (Fault(Kind.CUT, "", after=after),)))

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        get(proxy, path)

    assert course.done == [f"cut of GET {path}"]


def test_a_stream_is_cut(proxy: Proxy) -> None:
    """A stream ends after the bytes that the fault says."""
    course = proxy.follow(Plan(0, (Fault(Kind.CUT, "/stream", after=5),)))

    with connected(proxy) as stream:
        stream.sendall(b"0123456789")

        assert everything(stream) == b"01234"

    assert course.done == ["cut of GET /stream"]


def test_a_refusal(proxy: Proxy, asked: list[str]) -> None:
    """A refused request gets a status from the proxy, and the service does not get it."""
    proxy.follow(Plan(0, (Fault(Kind.REFUSE, "", status=502),)))

    assert get(proxy)[0] == 502
    assert asked == []


@pytest.mark.parametrize("path", ["/", "/chunks"])
def test_a_garbled_answer_is_no_json(proxy: Proxy, path: str) -> None:
    """A garbled answer has its length, but is not JSON any more."""
    proxy.follow(Plan(0, (Fault(Kind.GARBLE, ""),)))

    status, content = get(proxy, path)

    assert (status, len(content)) == (200, len(ANSWER))
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(content)


@pytest.mark.parametrize(("kind", "after"), [(Kind.GARBLE, 0), (Kind.CUT, 900), (Kind.STALL, 900)])
def test_a_fault_that_cannot_be_done_comes_later(proxy: Proxy, kind: Kind, after: int) -> None:
    """If an answer has nothing that a fault could spoil, the next request that matches gets the fault, and only that one."""
    course = proxy.follow(Plan(0, (Fault(kind, "GET ", after=after, seconds=0.1),)))

    for path in ("/empty", "/", "/"):
        with suppress(http.client.IncompleteRead):
            get(proxy, path)

    assert course.done == [f"{kind} of GET /"]


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.STALL])
def test_late_answers_are_whole(proxy: Proxy, kind: Kind) -> None:
    """A delayed or stalled answer arrives whole."""
    course = proxy.follow(Plan(0, (Fault(kind, "", seconds=0.1, after=50),)))

    assert get(proxy) == (200, ANSWER)
    assert course.done == [f"{kind} of GET /"]


def test_a_seed_makes_one_plan() -> None:
    """A plan depends on its seed and kind alone; other seeds make other plans."""
    plans = [random_plan(seed, Kind.CUT, ENGINE_REQUESTS) for seed in range(20)]

    assert plans == [random_plan(seed, Kind.CUT, ENGINE_REQUESTS) for seed in range(20)]
    assert len(set(plans)) == 20


@pytest.mark.docker
def test_an_engine_behind_the_proxy(engine_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's output and exit code pass through the proxy, on a connection that is upgraded."""
    engine_folder.mkdir()
    path = engine_folder / "e.sock"
    with socket_proxy(DEFAULT_SOCKET, path) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        client = engine_client()
        container = client.containers.create(BUSYBOX, ["sh", "-c", "echo hello; exit 3"])
        stream = container.attach(stream=True, logs=False)
        container.start()
        output = b"".join(stream)
        ended = container.wait()["StatusCode"]
        container.remove()
        client.close()
    path.unlink()
    engine_folder.rmdir()

    assert (output, ended) == (b"hello\n", 3)
