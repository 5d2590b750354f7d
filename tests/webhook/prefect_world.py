"""A real Prefect server that can be stopped, and real git repositories: the same scenarios as in the scripted world."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dockercise_prefect.settings import read_settings
from dockercise_prefect.webhook.receiver.hub import Hub, Registered
from tests.support.hosts.git_repository import git, make_repository
from tests.support.prefect import prefect_records
from tests.webhook.world import Run, eventually

PIPELINE = "build: {img: busybox, run: echo built}\n"
START = 120.0
"""Seconds that a server may take to start on a busy machine."""


def open_prefect_hub(argument: str) -> Hub:
    """The hub of a server, in a process that does not use Prefect otherwise: its API, a space and a data folder."""
    api, _, data = argument.partition(" ")
    os.environ["PREFECT_API_URL"] = api
    from dockercise_prefect.webhook.receiver.prefect_hub import PrefectHub

    return PrefectHub(read_settings(data=data))


class PrefectWorld:
    """Starts its own server in a folder, and stops it at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._api = f"http://127.0.0.1:{self._port}/api"
        self._server: subprocess.Popen[bytes] | None = None
        self.elsewhere = (f"{__name__}:{open_prefect_hub.__name__}", f"{self._api} {folder / 'receiver'}")
        self.answer()

    def register(self, repository: str, secret: str | None) -> Registered:
        """A git repository with one commit, and a deployment of it that every branch starts."""
        from dockercise_prefect.orchestration.prefect.secret_blocks import save_secret
        from dockercise_prefect.orchestration.registrations.register import RegisterRequest, look, register
        from dockercise_prefect.orchestration.registrations.registration import Registration

        name = repository.rpartition("/")[2]
        make_repository(self._git(repository), {"a.dockercise.yaml": PIPELINE}, branch="main")
        with self._here():
            if secret is not None:
                save_secret(f"hook-{name}", secret)
            registration = Registration(
                url=self._git(repository).as_uri(),
                ref="main",
                pushed_as=f"https://github.com/{repository}",
                branches=("*",),
                webhook_secret=None if secret is None else f"hook-{name}",
            )
            request = RegisterRequest(registration=registration)
            deployed, _ = register(request, look(request, read_settings(data=str(self._folder / "data")), lambda _text: None))
        return Registered(deployment_id=deployed.id, name=deployed.name, repositories=frozenset({repository}))

    def commit(self, repository: str, number: int) -> tuple[str, str]:
        """A commit and the previous one."""
        folder = self._git(repository)
        before = git(folder, "rev-parse", "HEAD")
        git(folder, "commit", "--quiet", "--allow-empty", "--message", f"Number {number}")
        return before, git(folder, "rev-parse", "HEAD")

    def hang_up(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
            self._server = None

    def answer(self) -> None:
        """Start the server with its previous database."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(self._port), "--host", "127.0.0.1"]
        environment = os.environ | {
            "PREFECT_HOME": str(self._folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_API_URL": self._api,
            # No worker takes these runs. Marking hundreds of them as late keeps a server on SQLite busy for minutes.
            "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "3600",
        }
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        eventually(self._answers, START)

    def runs(self) -> list[Run]:
        """All runs."""
        found: list[Run] = []
        while self._server is not None:
            body = {"limit": prefect_records.PAGE, "offset": len(found), "sort": "EXPECTED_START_TIME_ASC"}
            page = prefect_records.ask(self._api, "flow_runs/filter", body)
            found += [Run(one["deployment_id"], one["parameters"]["commit"], one["parameters"].get("targets")) for one in page]
            if len(page) < prefect_records.PAGE:
                break
        return found

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.hang_up()
        shutil.rmtree(self._folder / "prefect", ignore_errors=True)

    def _git(self, repository: str) -> Path:
        return self._folder / "git" / repository

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._api}/health", timeout=5) as answer:  # noqa: S310  loopback
                return int(answer.status) == 200
        except OSError:
            return False

    @contextmanager
    def _here(self) -> Iterator[None]:
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: self._api}):
            yield
