"""The local Prefect server: started once, left standing with its UI, shared by all runs of this user.

A temporary server for each run costs 5 to 17 seconds and takes the run's page away with it (FACTS section 2). The server keeps
everything below one data folder: its database, its log, and `server.json`, which says where it is. A process id alone is never
believed: the process must have been started when the file says. And a server that the file does not know is asked whether it is
the one of this folder: two servers must not use one database.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.runtime.processes import boot_id, start_of

HOST = "127.0.0.1"
PREFERRED_PORT = 4200
"""Prefect's own, so that its documentation's addresses are right where the port is free."""

START_SECONDS = 180.0
STOP_SECONDS = 20.0


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

    def healthy(self) -> bool:
        """Whether it answers."""
        return _ask(self.port, "/api/health") is not None


class ServerFolder:
    """Where the local server lives.

    Args:
        data: the user's data folder; made when needed.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._home = data / "prefect"
        self._record = data / "server.json"
        self.log = data / "server.log"

    def find(self) -> LocalServer | None:
        """The server that runs, healthy or still starting; None when there is none."""
        server = self._remembered()
        return server if server and server.process() else self._recollect(server.port if server else PREFERRED_PORT)

    def up(self, notify: Callable[[str], None]) -> LocalServer:
        """The healthy server, started when there is none; of several processes that ask at once, one starts it.

        Raises:
            OrchestratorError: it did not start, or does not answer in time.
        """
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._data / "server.lock", timeout=START_SECONDS):
                server = self.find()
                if server is None:
                    notify("starting the local Prefect server, which stays up for later runs (`dockercise down` stops it)")
                    server = self._start()
                self._wait(server)
                return server
        except Timeout as error:
            raise OrchestratorError(
                "another process has been starting the local Prefect server for minutes", self._see_log()
            ) from error
        except OSError as error:
            raise OrchestratorError(
                f"cannot keep the local Prefect server in {self._data}: {error.strerror or error}"
            ) from error

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

    def _recollect(self, port: int) -> LocalServer | None:
        """The server of this folder at a port, although `server.json` does not know its process; it does afterwards."""
        answer = _ask(port, "/api/admin/settings")
        if answer is None or not _is_of(answer, self._home):
            return None
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [])[1:] == _arguments(port) and (since := started(process.pid)) is not None:
                server = LocalServer(port, process.pid, since)
                self._remember(server)
                return server
        raise OrchestratorError(
            f"a Prefect server at http://{HOST}:{port} uses {self._home}, and its process is not to be found",
            "is it in a container, or another user's? stop it there",
        )

    def _remember(self, server: LocalServer) -> None:
        temporary = self._record.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(server)), encoding="utf-8")
        temporary.replace(self._record)

    def _remembered(self) -> LocalServer | None:
        try:
            return LocalServer(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _start(self) -> LocalServer:
        remembered = self._remembered()
        port = _free_port(remembered.port if remembered else PREFERRED_PORT)
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, *_arguments(port)]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(port),
                cwd=self._data,
                start_new_session=True,  # Ctrl-C in the terminal of the run that started it is not for the server
            )
        server = LocalServer(port, process.pid, started(process.pid) or "")
        self._remember(server)
        return server

    def _environment(self, port: int) -> dict[str, str]:
        # What the user set for clients (an API key, a profile, another database) is not meant for this server.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        return inherited | {
            "PREFECT_HOME": str(self._home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_API_URL": f"http://{HOST}:{port}/api",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            # Events carry the tags that a run has now, not those that it had when it was made.
            "PREFECT_SERVER_EVENTS_RELATED_RESOURCE_CACHE_TTL": "PT0S",
        }

    def _wait(self, server: LocalServer) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not server.healthy():
            if server.process() is None:
                raise OrchestratorError(
                    f"the local Prefect server ended while it started:\n{self._last_lines()}", self._see_log()
                )
            if time.monotonic() > deadline:
                raise OrchestratorError(f"the local Prefect server at {server.ui_url} does not answer", self._see_log())
            time.sleep(0.1)

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


def _arguments(port: int) -> list[str]:
    return ["-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]


def _ask(port: int, path: str) -> bytes | None:
    """What a server on this machine answers; None when there is none, or it does not like the question."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _is_of(settings: bytes, home: Path) -> bool:
    """Whether a Prefect server that told its settings keeps its things in a folder."""
    try:
        told = json.loads(settings)
        return Path(told["home"]) == home
    except (ValueError, TypeError, KeyError):
        return False


def _free_port(wanted: int) -> int:
    """`wanted`, or one that the system picks where that is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port in TIME_WAIT is free
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OrchestratorError(f"there is no free port on {HOST}")


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
