"""The local Prefect server: started once, left standing with its UI, shared by all runs of this user.

A temporary server for each run costs 5 to 17 seconds and takes the run's page away with it (docs/adr/0003). The server keeps
everything below one data folder: its database, its log, and `server.json`, which says where it is. A process id alone is never
believed: the process must have been started when the file says. Nor is a port: whatever answers there must prove that it is the
server of this folder, or runs would report to somebody else's.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.prefect.identity import ask, make_secret
from dockercise_prefect.results.places.files import write_json, write_whole
from dockercise_prefect.runtime.cleanup.processes import boot_id, start_of

HOST = "127.0.0.1"
PREFERRED_PORT = 4200
"""Prefect's own, so that its documentation's addresses are right where the port is free."""

START_SECONDS = 600.0
"""For a machine that is busy; a server that ended is seen at once."""
STOP_SECONDS = 20.0

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that was started here; `started` says when its process was, as `started` below counts."""

    port: int
    pid: int
    started: str

    @property
    def api_url(self) -> str:
        """What `PREFECT_API_URL` is to be."""
        return f"http://{HOST}:{self.port}/api"

    @property
    def ui_url(self) -> str:
        """What a browser opens."""
        return f"http://{HOST}:{self.port}"

    def process(self) -> psutil.Process | None:
        """The server's process, None when it is gone."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and started(self.pid) == self.started
        except psutil.Error:
            return None
        return process if alive else None

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> LocalServer | None:
        """The server that these fields say, None when they say none."""
        try:
            return cls(int(told["port"]), int(told["pid"]), str(told["started"]))
        except (KeyError, TypeError, ValueError):
            return None


class ServerFolder:
    """Where the local server lives.

    Args:
        data: the user's data folder; made when needed.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._home = data / "prefect"
        self._record = data / "server.json"
        self._secret = data / "server.secret"
        self.log = data / "server.log"
        self.login_file = data / "server.login"

    def find(self) -> LocalServer | None:
        """The server that runs, healthy or still starting; None when there is none."""
        server = self._remembered()
        return server if server and server.process() else self._recollect(server.port if server else PREFERRED_PORT)

    def up(self, notify: Callable[[str], None]) -> LocalServer:
        """The healthy server, started when there is none; of several processes that ask at once, one starts it.

        Raises:
            OrchestratorError: it did not start, or does not answer in time.
        """
        with self._held():
            secret = make_secret(self._secret)
            server = self.find()
            if server is None:
                notify("starting the local Prefect server, which stays up for later runs (`dockercise down` stops it)")
                server = self._start()
            self._wait(server, secret)
            return server

    def down(self) -> LocalServer | None:
        """Stop the server and wait until it is gone; returns what was stopped, None when none ran."""
        server = self.find()
        if server is None or (process := server.process()) is None:
            return None
        family = [*process.children(recursive=True), process]
        for member in family:
            _signal(member.terminate)
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for member in alive:
            _signal(member.kill)
        psutil.wait_procs(alive, timeout=STOP_SECONDS)
        return server

    def answers(self, server: LocalServer) -> bool:
        """Whether the server answers, and is the one of this folder."""
        return self._asked(server.port) == server

    def login(self) -> str | None:
        """The `name:password` that the server asks for, None when it asks for none."""
        try:
            return self.login_file.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def login_variable(self) -> str:
        """What gives a program the login, as a shell takes it; the login itself is not in it."""
        return f'PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(self.login_file))})"'

    def require_login(self, login: str | None) -> None:
        """Have the server ask for a login from its next start on.

        Args:
            login: `name:password`; None for the one that it has, or a new one.

        Raises:
            OrchestratorError: it runs already, and asks for another login or for none.
        """
        with self._held():
            before = self.login()
            wanted = login or before or f"dockercise:{secrets.token_urlsafe(24)}"
            if wanted != before:
                self._must_be_down()
                write_whole(self.login_file, f"{wanted}\n".encode())

    def require_no_login(self) -> None:
        """Have the server ask for no login from its next start on.

        Raises:
            OrchestratorError: it runs already, and asks for one.
        """
        with self._held():
            if self.login() is not None:
                self._must_be_down()
                self.login_file.unlink()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Inside, no other process starts the server."""
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._data / "server.lock", timeout=START_SECONDS):
                yield
        except Timeout as error:
            raise OrchestratorError(
                "another process has been starting the local Prefect server for minutes", self._see_log()
            ) from error
        except OSError as error:
            raise OrchestratorError(
                f"cannot keep the local Prefect server in {self._data}: {error.strerror or error}"
            ) from error

    def _must_be_down(self) -> None:
        if server := self.find():
            raise OrchestratorError(
                f"the local Prefect server is already running ({server.ui_url}), with another login",
                "stop it with `dockercise down`, then run this again",
            )

    def _asked(self, port: int) -> LocalServer | None:
        """The server of this folder at a port."""
        try:
            claim = ask(HOST, port, self._secret.read_bytes())
        except OSError:
            return None
        return LocalServer.from_json(claim) if claim else None

    def _recollect(self, port: int) -> LocalServer | None:
        """The server of this folder at a port, although `server.json` does not know its process; it does afterwards."""
        server = self._asked(port)
        if server is None:
            return None
        if server.process() is None:
            raise OrchestratorError(
                f"the Prefect server at {server.ui_url} uses {self._home}, but its process cannot be found",
                "it may run in a container or as another user: stop it there",
            )
        write_json(self._record, server.as_json())
        return server

    def _remembered(self) -> LocalServer | None:
        try:
            return LocalServer.from_json(json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def _start(self) -> LocalServer:
        remembered = self._remembered()
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The port is ours from here on: what is said of it is true, whoever else starts a server now.
        with _listen(remembered.port if remembered else PREFERRED_PORT) as listener, self.log.open("wb") as log:
            port = listener.getsockname()[1]
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "dockercise_prefect.orchestration.prefect.serve",
                    str(listener.fileno()),
                    str(self._secret),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(port),
                cwd=self._data,
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal of the run that started it is not for the server
            )
        server = LocalServer(port, process.pid, started(process.pid) or "")
        write_json(self._record, server.as_json())
        return server

    def _environment(self, port: int) -> dict[str, str]:
        # What the user set for clients (an API key, a profile, another database) is not meant for this server.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        address = f"http://{HOST}:{port}"
        login = self.login()
        return (
            inherited
            | {
                "PREFECT_HOME": str(self._home),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "PREFECT_API_URL": f"{address}/api",
                "PREFECT_SERVER_UI_API_URL": "/api",  # under whatever name and port the browser has its page from
                "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": address,
                "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
                # Events carry the tags that a run has now, not those that it had when it was made.
                "PREFECT_SERVER_EVENTS_RELATED_RESOURCE_CACHE_TTL": "PT0S",
            }
            | ({"PREFECT_SERVER_API_AUTH_STRING": login} if login else {})
        )

    def _wait(self, server: LocalServer, secret: bytes) -> None:
        deadline = time.monotonic() + START_SECONDS
        while (claim := ask(HOST, server.port, secret)) is None:
            if server.process() is None:
                raise OrchestratorError(
                    f"the local Prefect server ended while it started:\n{self._last_lines()}", self._see_log()
                )
            if time.monotonic() > deadline:
                raise OrchestratorError(f"the local Prefect server at {server.ui_url} does not answer", self._see_log())
            time.sleep(0.1)
        if LocalServer.from_json(claim) != server:
            raise OrchestratorError(f"what answers at {server.ui_url} is not the server of {self._data}", self._see_log())

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    def _see_log(self) -> str:
        return f"its log is {self.log}; `dockercise down` and then `dockercise up` start it anew"


def started(pid: int) -> str | None:
    """When a process was started, in a way that no clock that is set changes; None when it is gone."""
    if boot := boot_id():
        ticks = start_of(pid)
        return ticks and f"{boot}/{ticks}"
    try:
        return f"{psutil.Process(pid).create_time():.0f}"  # no Linux: the system noted the time itself, once
    except psutil.Error:
        return None


def _listen(wanted: int) -> socket.socket:
    """A socket that listens on `wanted`, or on a port that the system picks where that is taken."""
    try:
        return socket.create_server((HOST, wanted), backlog=_BACKLOG)
    except OSError:
        return socket.create_server((HOST, 0), backlog=_BACKLOG)


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
