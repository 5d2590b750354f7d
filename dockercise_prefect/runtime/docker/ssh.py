"""An engine behind ssh, reached as the Docker command line does: `ssh HOST docker system dial-stdio` for each connection.

The SDK's own way needs paramiko, or a file object that is not a socket. Here the client has one end of a socket pair, which is
a real socket. So time limits and hijacked streams work as on any other transport.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.unix_socket import SinglePoolAdapter

_CONNECT_TIMEOUT = 30
_POOL_SIZE = 64
_COMPLAINT_LINES = 5
_COMPLAINT_PATIENCE = 2


def ssh_command(url: str) -> list[str]:
    """The command that connects its standard input and output with the engine at `ssh://[USER@]HOST[:PORT]`.

    Raises:
        EngineError: the address has another form.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EngineError(f"{url} is not an address of an engine: {error}", "write ssh://USER@HOST:PORT") from error
    if not parts.hostname or parts.path not in {"", "/"} or parts.password:
        raise EngineError(
            f"ssh://{parts.hostname or ''} is not an address of an engine", "write ssh://USER@HOST:PORT, keys by ssh"
        )
    user = ["-l", parts.username] if parts.username else []
    at = ["-p", str(port)] if port else []
    options = ["-T", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT}"]
    return ["ssh", *options, *user, *at, "--", parts.hostname, "docker", "system", "dial-stdio"]


class SshAdapter(SinglePoolAdapter):
    """Sends the requests of a session over connections that a command makes."""

    def __init__(self, command: list[str]) -> None:
        self._ssh = _SshPool(command)
        super().__init__(self._ssh)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request. If it fails, the error has what ssh printed.

        Raises:
            requests.RequestException: the request failed.
        """
        try:
            return super().send(request, *args, **kwargs)
        except requests.RequestException:
            if complaint := self._ssh.complaint():
                raise requests.ConnectionError(complaint, request=request) from None
            raise


class _SshConnection(urllib3.connection.HTTPConnection):
    def __init__(self, start: Callable[[socket.socket], None]) -> None:
        super().__init__("localhost")
        self._start = start

    def connect(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._start(theirs)
        ours.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
        self.sock = ours


class _SshPool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, command: list[str]) -> None:
        super().__init__("localhost", maxsize=_POOL_SIZE)
        self._command = command
        self._listeners: deque[threading.Thread] = deque(maxlen=_POOL_SIZE)
        self._heard: deque[str] = deque(maxlen=_COMPLAINT_LINES)

    def complaint(self) -> str:
        """What the newest commands printed on stderr, for error messages."""
        for listener in tuple(self._listeners)[-1:]:
            listener.join(_COMPLAINT_PATIENCE)
        return "; ".join(self._heard)

    def _new_conn(self) -> Any:
        return _SshConnection(self._start)

    def _start(self, end: socket.socket) -> None:
        # Its own session: Ctrl-C must not end the connection over which containers are stopped with grace.
        process = subprocess.Popen(
            self._command, stdin=end.fileno(), stdout=end.fileno(), stderr=subprocess.PIPE, start_new_session=True
        )
        listener = threading.Thread(target=self._listen, args=(process,), name="ssh-stderr", daemon=True)
        listener.start()
        self._listeners.append(listener)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Keep what the command prints on stderr until it ends, and wait for its end."""
        with process:
            for line in process.stderr or ():
                self._heard.append(line.decode(errors="replace").strip())
