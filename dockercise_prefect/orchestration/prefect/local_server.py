"""The local Prefect server. It is started once, keeps running with its UI, and is shared by all runs of this user.

A temporary server for each run costs 5 to 17 seconds, and the page of the run ends with it (docs/adr/0003). The server keeps
everything below one data folder: its database, its log, and `server.json`, which says where it is. A process id alone is not
enough: the process must also have been started at the time in the file. A port alone is not enough either: the server there
must prove that it is the server of this folder. Otherwise runs could report to the server of somebody else.
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
"""Prefect's default port, so that the addresses in its documentation are right if the port is free."""

START_SECONDS = 600.0
"""Long enough for a busy machine. If the server ends, this is noticed immediately."""
STOP_SECONDS = 20.0

_BACKLOG = 1024

_STATES_AT_ONCE = "50"
"""How many new states of task runs the server records together."""

_STATES_SECONDS = "1"
"""How many seconds it waits for more of them. Prefect cuts fractions off."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that was started here. `started` is the start time of its process, as the function `started` returns it."""

    port: int
    pid: int
    started: str

    @property
    def api_url(self) -> str:
        """The value for `PREFECT_API_URL`."""
        return f"http://{HOST}:{self.port}/api"

    @property
    def ui_url(self) -> str:
        """The address for a browser."""
        return f"http://{HOST}:{self.port}"

    def process(self) -> psutil.Process | None:
        """The process of the server; None if it has ended."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and started(self.pid) == self.started
        except psutil.Error:
            return None
        return process if alive else None

    def as_json(self) -> dict[str, Any]:
        """The fields of the server."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> LocalServer | None:
        """The server from these fields; None if they do not describe a server."""
        try:
            return cls(int(told["port"]), int(told["pid"]), str(told["started"]))
        except (KeyError, TypeError, ValueError):
            return None


class ServerFolder:
    """The folder of the local server.

    Args:
        data: the user's data folder; created when needed.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._home = data / "prefect"
        self._record = data / "server.json"
        self._secret = data / "server.secret"
        self.log = data / "server.log"
        self.login_file = data / "server.login"

    def find(self) -> LocalServer | None:
        """The running server, healthy or still starting; None if no server runs."""
        server = self._remembered()
        return server if server and server.process() else self._recollect(server.port if server else PREFERRED_PORT)

    def seen(self) -> LocalServer | None:
        """The same server as `find`, but nothing is written."""
        server = self._remembered()
        return server if server and server.process() else self._recognized(server.port if server else PREFERRED_PORT)

    def has_ended_at(self, api_url: str) -> bool:
        """Whether the server of this folder was last at this address, and its process has ended."""
        server = self._remembered()
        return server is not None and server.api_url == api_url and server.process() is None

    def up(self, notify: Callable[[str], None]) -> LocalServer:
        """The healthy server. It is started if it does not run; if several processes call this at once, one of them starts it.

        Raises:
            OrchestratorError: the server did not start, or does not answer in time.
        """
        with self._held():
            secret = make_secret(self._secret)
            server = self.find()
            if server is None:
                notify("starting the local Prefect server, which keeps running for later runs (`dockercise down` stops it)")
                server = self._start()
            self._wait(server, secret)
            return server

    def down(self) -> LocalServer | None:
        """Stop the server and wait until it has ended. Returns the stopped server; None if no server ran."""
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
        """Whether the server answers and is the server of this folder."""
        return self._asked(server.port) == server

    def login(self) -> str | None:
        """The `name:password` that the server requires; None if it does not require a login."""
        try:
            return self.login_file.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def login_variable(self) -> str:
        """The setting of a variable, for a shell, that gives a program the login. It does not contain the login itself."""
        return f'PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(self.login_file))})"'

    def require_login(self, login: str | None) -> None:
        """Make the server require a login from its next start on.

        Args:
            login: `name:password`; None to use the existing login, or a new one.

        Raises:
            OrchestratorError: the server already runs with another login, or without a login.
        """
        with self._held():
            before = self.login()
            wanted = login or before or f"dockercise:{secrets.token_urlsafe(24)}"
            if wanted != before:
                self._must_be_down()
                write_whole(self.login_file, f"{wanted}\n".encode())

    def require_no_login(self) -> None:
        """Make the server require no login from its next start on.

        Raises:
            OrchestratorError: the server already runs with a login.
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
                f"cannot store the data of the local Prefect server in {self._data}: {error.strerror or error}"
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
        """The server of this folder at a port, if `server.json` does not have its process. Afterwards the file has it."""
        server = self._recognized(port)
        if server is not None:
            write_json(self._record, server.as_json())
        return server

    def _recognized(self, port: int) -> LocalServer | None:
        server = self._asked(port)
        if server is None:
            return None
        if server.process() is None:
            raise OrchestratorError(
                f"the Prefect server at {server.ui_url} uses {self._home}, but its process cannot be found",
                "it may run in a container or as another user: stop it there",
            )
        return server

    def _remembered(self) -> LocalServer | None:
        try:
            return LocalServer.from_json(json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def _start(self) -> LocalServer:
        remembered = self._remembered()
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        # This process holds the port from here on: the file is right, even if somebody else starts a server now.
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
                start_new_session=True,  # Ctrl-C in the terminal of the run that started the server must not end it
            )
        server = LocalServer(port, process.pid, started(process.pid) or "")
        write_json(self._record, server.as_json())
        return server

    def _environment(self, port: int) -> dict[str, str]:
        # The user's settings for clients (an API key, a profile, another database) are not meant for this server.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        address = f"http://{HOST}:{port}"
        login = self.login()
        return (
            inherited
            | {
                "PREFECT_HOME": str(self._home),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "PREFECT_API_URL": f"{address}/api",
                "PREFECT_SERVER_UI_API_URL": "/api",  # the name and port from which the browser loaded the page
                "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": address,
                "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
                # Events have the current tags of a run, not those from when it was created.
                "PREFECT_SERVER_EVENTS_RELATED_RESOURCE_CACHE_TTL": "PT0S",
                # Otherwise, each new state of a task run is a transaction of its own, which takes most of the server's time.
                "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": _STATES_AT_ONCE,
                "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": _STATES_SECONDS,
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
            raise OrchestratorError(
                f"the program that answers at {server.ui_url} is not the server of {self._data}", self._see_log()
            )

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    def _see_log(self) -> str:
        return f"its log is {self.log}; `dockercise down` and then `dockercise up` restart it"


def started(pid: int) -> str | None:
    """When a process was started, in a form that does not change if the clock is set; None if the process has ended."""
    if boot := boot_id():
        ticks = start_of(pid)
        return ticks and f"{boot}/{ticks}"
    try:
        return f"{psutil.Process(pid).create_time():.0f}"  # not Linux: the system stored the time when the process started
    except psutil.Error:
        return None


def _listen(wanted: int) -> socket.socket:
    """A socket that listens on `wanted`. If that port is in use, the system chooses another one."""
    try:
        return socket.create_server((HOST, wanted), backlog=_BACKLOG)
    except OSError:
        return socket.create_server((HOST, 0), backlog=_BACKLOG)


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
