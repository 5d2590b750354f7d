"""Real git hosts on loopback: git's own HTTP backend with a password, and an SSH server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.ssh_server import running_ssh


@contextmanager
def http_host(folder: Path, authorization: str | None, sent: list[str | None] | None = None) -> Iterator[str]:
    """Serve the repositories in a folder over HTTP, and give the address.

    Args:
        authorization: the `Authorization` header that requests must have; None for no check.
        sent: gets the `Authorization` header of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            if sent is not None:
                sent.append(self.headers.get("Authorization"))
            if authorization is not None and self.headers.get("Authorization") != authorization:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            variables = {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "git",
            }
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=os.environ | variables, capture_output=True, check=True
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, text in fields.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the library
            """Nothing."""

    with _served(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def redirecting(elsewhere: str) -> Iterator[str]:
    """Run a host that redirects all requests to another one, as after the move of a repository. Gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", f"{elsewhere}{self.path}")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the library
            """Nothing."""

    with _served(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class SshHost:
    """An SSH server: its address with user and port, and the private key that it accepts, as text and as a file."""

    address: str
    key: str
    key_file: Path


@contextmanager
def ssh_host(folder: Path) -> Iterator[SshHost]:
    """Run an SSH server that serves git repositories by their absolute paths. The folder for its keys is created."""
    folder.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "user")], check=True)

    def let_in() -> list[str]:
        return [" ".join((folder / "user.pub").read_text().split()[:2])]

    with running_ssh(Path("/"), let_in) as server:
        yield SshHost(f"ssh://git@127.0.0.1:{server.port}", (folder / "user").read_text(), folder / "user")
