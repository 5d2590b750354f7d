"""How requests reach an engine behind a socket file."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
from docker import APIClient

from dockercise_prefect.runtime.docker.streams import attach
from dockercise_prefect.runtime.docker.unix_socket import UnixAdapter

VERSION = "1.41"
PATIENCE = 60

Call = Callable[[APIClient], object]

CALLS: dict[str, Call] = {
    "a path with an id": lambda client: client.inspect_container("one"),
    "a name with a blank": lambda client: client.inspect_volume("a name/é"),
    "a body": lambda client: client.create_volume("one", labels={"dockercise.stage": "é\n"}),
    "a body and parameters": lambda client: client.create_container_from_config({"Image": "busybox"}, "one", "linux/amd64"),  # type: ignore[no-untyped-call]  # its stub has no types
    "no body": lambda client: client.start("one"),
    "a parameter that is false": lambda client: client.remove_container("one", v=True, force=False),
    "a parameter that is JSON": lambda client: client.containers(all=True, filters={"label": ["a=b c", "d"]}),
    "several parameters of a name": lambda client: client.get(
        f"{client.base_url}/v{VERSION}/images/get", params={"names": ["a:1", "b"], "no": None}
    ),
    "a stream to the engine": lambda client: client.put_archive("one", "/a b", iter([b"some", b"thing"])),
    "bytes to the engine": lambda client: client.put_archive("one", "/", b"something"),
    "a file's status": lambda client: client.head(
        f"{client.base_url}/v{VERSION}/containers/one/archive", params={"path": "/é"}
    ),
    "a connection to hand over": lambda client: attach(client, "one", "stdout", "stderr").close(),
}


class _Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers every request with an empty JSON object, and notes what it got."""

    daemon_threads = True

    def __init__(self, path: Path, *, hangs_up: bool = False) -> None:
        self.connections = 0
        self.hangs_up = hangs_up
        self.hung_up = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        super().__init__(str(path), _Answering)

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]  # as the base class gave them

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)  # type: ignore[arg-type]  # as the base class gave it
        self.hung_up.release()


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Engine

    def _answer(self) -> None:
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        self.server.may_answer.wait(PATIENCE)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")
        self.close_connection = self.server.hangs_up

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815  the names that the base class looks for

    def _chunks(self) -> bytes:
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _engine(path: Path, *, hangs_up: bool = False) -> Iterator[_Engine]:
    with _Engine(path, hangs_up=hangs_up) as engine:
        thread = threading.Thread(target=engine.serve_forever)
        thread.start()
        try:
            yield engine
        finally:
            engine.shutdown()
            thread.join()


def sharing(folder: Path) -> APIClient:
    """A client of the engine whose requests share connections."""
    client = APIClient(f"unix://{folder}/socket", version=VERSION, timeout=PATIENCE)
    client.mount(client.base_url, UnixAdapter(f"{folder}/socket", 10))
    return client


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_request_is_that_of_the_sdk(call: Call, tmp_path: Path) -> None:
    """The engine gets the same method, path, headers and body as from the SDK's own client."""
    address = f"unix://{tmp_path}/socket"
    with _engine(tmp_path / "socket") as engine:
        call(APIClient(address, version=VERSION, timeout=PATIENCE))

        call(sharing(tmp_path))

    theirs, ours = engine.requests
    assert ours == theirs


def test_requests_for_different_containers_share_a_connection(tmp_path: Path) -> None:
    """One request after the other needs one connection, whatever each of them asks for."""
    with _engine(tmp_path / "socket") as engine:
        client = sharing(tmp_path)

        for name in ("one", "two", "three"):
            client.inspect_container(name)
            client.remove_container(name)
        client.close()

    assert (len(engine.requests), engine.connections) == (6, 1)


def test_a_connection_that_the_engine_has_closed_is_replaced(tmp_path: Path) -> None:
    """If the engine closes idle connections, or was restarted, the next request goes over a new one."""
    with _engine(tmp_path / "socket", hangs_up=True) as engine:
        client = sharing(tmp_path)
        client.inspect_container("one")
        assert engine.hung_up.acquire(timeout=PATIENCE)

        client.inspect_container("two")

    assert (len(engine.requests), engine.connections) == (2, 2)


def test_an_engine_that_is_silent_is_not_waited_for(tmp_path: Path) -> None:
    """Each request has its own time limit, also over a connection that an earlier request has used."""
    with _engine(tmp_path / "socket") as engine:
        client = sharing(tmp_path)
        client.inspect_container("one")
        engine.may_answer.clear()

        with pytest.raises(requests.ReadTimeout):
            client.get(f"{client.base_url}/info", timeout=0.05)

        engine.may_answer.set()
