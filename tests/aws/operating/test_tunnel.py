"""Tunnels: a port on loopback that leads to the host through a session of SSM, and is closed again."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.aws.account import Access, Account
from dockercise_prefect.aws.operating.readiness import Clock
from dockercise_prefect.aws.operating.tunnel import TunnelError, checked_plugin, tunnel
from dockercise_prefect.errors import UsageError
from tests.support.aws.free_port import free_port
from tests.support.aws.session_manager import TOKEN, SessionManager, running_sessions, write_plugin


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SessionManager]:
    """A server for sessions, and a folder for programs that is the first in PATH."""
    with running_sessions() as manager:
        monkeypatch.setenv("AWS_ENDPOINT_URL", manager.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield manager


@pytest.fixture
def prefect() -> Iterator[int]:
    """The port of a server in the place of Prefect on the host."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"Prefect")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def test_what_the_host_serves_is_at_the_port(sessions: SessionManager, prefect: int, tmp_path: Path) -> None:
    """The page of the host is at the port while the tunnel is open; afterwards the session and the program have ended."""
    log = write_plugin(tmp_path / "bin", target=prefect)
    port = free_port()

    with tunnel(Account(Access()), "i-0a", port, checked_plugin(), Clock(pause=lambda: None)) as way:
        page = httpx.get(way.url, trust_env=False).text
        was_open = way.is_open

    assert (page, was_open, way.is_open) == ("Prefect", True, False)
    (asked,) = sessions.started
    assert asked["Target"] == "i-0a"
    assert asked["DocumentName"] == "AWS-StartPortForwardingSession"
    assert asked["Parameters"] == {"portNumber": ["4200"], "localPortNumber": [str(port)]}
    assert sessions.ended == ["me-0a1b"]
    called = json.loads(log.read_text())
    assert called["key"] == "AKIATEST"
    assert TOKEN not in json.dumps(called["arguments"])


def test_a_session_that_ends_at_once(sessions: SessionManager, tmp_path: Path) -> None:
    """If the program ends before the port is open, that is said, and the session is ended."""
    write_plugin(tmp_path / "bin", fails=True)

    with (
        pytest.raises(TunnelError, match="ended before it was open"),
        tunnel(Account(Access()), "i-0a", free_port(), checked_plugin(), Clock(pause=lambda: None)),
    ):
        pytest.fail("it is not open")

    assert sessions.ended == ["me-0a1b"]


def test_a_port_that_is_taken(sessions: SessionManager, tmp_path: Path) -> None:
    """If something else has the port, no session is started."""
    write_plugin(tmp_path / "bin")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"listens on port {port}") as caught:  # noqa: SIM117  the error is in the inner one
            with tunnel(Account(Access()), "i-0a", port, checked_plugin(), Clock()):
                pytest.fail("it is not open")

    assert sessions.started == []
    assert "--port" in str(caught.value.hint)


def test_no_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the program, the message says where to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="session-manager-plugin") as caught:
        checked_plugin()

    assert "https://docs.aws.amazon.com" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["1.2.463.0", "unheard of"])
def test_an_old_plugin(sessions: SessionManager, tmp_path: Path, version: str) -> None:
    """A version that needs the session's token as an argument is refused, because all users of the machine could read it."""
    write_plugin(tmp_path / "bin", version=version)

    with pytest.raises(UsageError, match=r"older than 1\.2\.497\.0"):
        checked_plugin()
