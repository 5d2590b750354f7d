"""The local Prefect server: started once, left standing with its UI, shared by all runs of this user.

A temporary server for each run costs 5 to 17 seconds and takes the run's page away with it (FACTS section 2). The server keeps
everything below one data folder: its database, its log, and `server.json`, which says where it is. A process id alone is never
believed: the process must have been started when the file says.
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

HOST = "127.0.0.1"
PREFERRED_PORT = 4200
"""Prefect's own, so that its documentation's addresses are right where the port is free."""

START_SECONDS = 180.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that was started here; `started` is its process's start time in seconds since the epoch."""

    port: int
    pid: int
    started: float

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
            alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 1
        except psutil.Error:
            return None
        return process if alive else None

    def healthy(self) -> bool:
        """Whether it answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


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
        return server if server and server.process() else None

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

    def _remembered(self) -> LocalServer | None:
        try:
            return LocalServer(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _start(self) -> LocalServer:
        remembered = self._remembered()
        port = _free_port(remembered.port if remembered else PREFERRED_PORT)
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
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
        server = LocalServer(port, process.pid, psutil.Process(process.pid).create_time())
        temporary = self._record.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(server)), encoding="utf-8")
        temporary.replace(self._record)
        return server

    def _environment(self, port: int) -> dict[str, str]:
        # What the user set for clients (an API key, a profile, another database) is not meant for this server.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        return inherited | {
            "PREFECT_HOME": str(self._home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_API_URL": f"http://{HOST}:{port}/api",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
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
