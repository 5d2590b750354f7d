"""`dockercise doctor`, as a user starts it: on a machine where all is well, and where nothing is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.cli.present.checks import examination_lines
from dockercise_prefect.cli.present.lines import ASCII, UNICODE
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus, Examination, SettingRead
from dockercise_prefect.orchestration.prefect.local_server import LocalServer
from tests.engines.podman import podman

PATIENCE = 120
NOWHERE = "unix:///nowhere/docker.sock"


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with these variables."""
    command = [sys.executable, "-m", "dockercise_prefect", "doctor", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DOCKERCISE_"))}
    return subprocess.run(
        command, env={**kept, **environment}, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd="/"
    )


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The checks of the JSON that was printed, by their names."""
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


EXAMINATION = Examination(
    checks=[
        Check("engine", CheckStatus.OK, "Docker 28.5.2"),
        Check("engine disk", CheckStatus.UNKNOWN, "cannot be seen from here", "look there"),
        Check("prefect", CheckStatus.WARNING, "two\nlines"),
        Check("results", CheckStatus.PROBLEM, "/r cannot be written: \x1b[31mNo", "make it writable"),
    ],
    settings={
        "jobs": SettingRead(4, "DOCKERCISE_JOBS"),
        "server_hosts": SettingRead([], "default"),
        "cache_size": SettingRead(10 << 30, "default"),
        "untrusted": SettingRead(value=True, origin="/c.toml:1 untrusted"),
        "untrusted_memory": SettingRead(2 << 30, "default"),
        "untrusted_timeout": SettingRead(5400, "default"),
    },
    environment={"DOCKER_HOST": "tcp://h:2376", "PREFECT_API_KEY": "set"},
)

TEXT = """\
  ✓ engine       Docker 28.5.2
  ? engine disk  cannot be seen from here
                 hint: look there
  ! prefect      two
                 lines
  ✗ results      /r cannot be written: No
                 hint: make it writable

settings
  jobs               4      DOCKERCISE_JOBS
  server_hosts       none   default
  cache_size         10g    default
  untrusted          true   /c.toml:1 untrusted
  untrusted_memory   2g     default
  untrusted_timeout  1h30m  default

environment
  DOCKER_HOST      tcp://h:2376
  PREFECT_API_KEY  set

1 problem, 1 warning, 1 unknown"""


def test_how_it_looks() -> None:
    """Marks and words tell the status, hints are below what was found, and no control character reaches the terminal."""
    assert "\n".join(line.plain for line in examination_lines(EXAMINATION, UNICODE)) == TEXT


def test_how_it_looks_without_unicode() -> None:
    """On a terminal with few characters, other marks stand for the same."""
    first = [line.plain[:12].rstrip() for line in examination_lines(EXAMINATION, ASCII)]

    assert [first[0], first[1], first[3], first[5]] == ["  + engine", "  ? engine d", "  ! prefect", "  x results"]


def test_when_all_is_well() -> None:
    """One line says so."""
    fine = Examination([Check("engine", CheckStatus.OK, "Docker")], {}, {})

    assert [line.plain for line in examination_lines(fine, UNICODE)] == ["  ✓ engine  Docker", "", "everything is in order"]


@pytest.mark.docker
def test_a_machine_that_can_run(server: LocalServer, data_folder: Path) -> None:
    """With an engine and a server, nothing is a problem, and the exit status is 0."""
    done = doctor("--json", DOCKERCISE_DATA=str(data_folder), DOCKERCISE_JOBS="3", PREFECT_API_URL=server.api_url)
    found = checks(done)

    assert [name for name, check in found.items() if check["status"] == "problem" and not name.startswith("work pool")] == []
    assert found["engine"]["status"] == "ok"
    assert found["engine"]["facts"]["api"]
    assert found["prefect"]["facts"]["url"] == server.api_url
    assert json.loads(done.stdout)["settings"]["jobs"] == {"value": 3, "origin": "DOCKERCISE_JOBS"}


def test_a_machine_that_has_nothing(tmp_path: Path) -> None:
    """No engine, no git, no home folder, a wrong setting: all of it is told, nothing is started, and the exit status is 3."""
    (tmp_path / "bin").mkdir()
    done = doctor("--json", DOCKER_HOST=NOWHERE, PATH=str(tmp_path / "bin"), HOME="/proc/nothing", DOCKERCISE_JOBS="many")
    found = checks(done)

    assert done.returncode == ExitStatus.ENGINE_FAILED
    assert json.loads(done.stdout)["status"] == "problem"
    assert found["engine"]["status"] == "problem"
    assert "no Docker engine answers at unix:///nowhere/docker.sock (DOCKER_HOST)" in found["engine"]["found"]
    assert [found[name]["status"] for name in ("engine usage", "leftovers")] == ["unknown", "unknown"]
    assert found["git"]["status"] == "warning"
    assert found["settings"]["status"] == "problem"
    assert "DOCKERCISE_JOBS: `many` must be a whole number" in found["settings"]["found"]
    assert "Traceback" not in done.stderr


def test_the_text_ends_with_a_count(tmp_path: Path) -> None:
    """Without an engine, the last line counts the problems, and the hint is below what is wrong."""
    done = doctor(DOCKER_HOST=NOWHERE, DOCKERCISE_DATA=str(tmp_path))

    assert done.returncode == ExitStatus.ENGINE_FAILED
    assert done.stdout.splitlines()[-1].startswith("1 problem, ")
    assert "hint: install and start Docker, or set DOCKER_HOST or a Docker context" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_podman_is_a_problem() -> None:
    """Podman answers as an engine, and the reason why it is refused is told."""
    with podman([]) as address:
        found = checks(doctor("--json", DOCKER_HOST=address))

    assert found["engine"]["status"] == "problem"
    assert "is Podman 5.8.6, which cannot run pipelines" in found["engine"]["found"]


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_what_does_not_answer_is_not_waited_for(silent: int, tmp_path: Path) -> None:
    """An engine and a server that accept connections and say nothing: the command ends, and names both."""
    done = doctor(
        "--json",
        DOCKER_HOST=f"tcp://127.0.0.1:{silent}",
        PREFECT_API_URL=f"http://ada:hunter2@127.0.0.1:{silent}/api",
        DOCKERCISE_DATA=str(tmp_path),
    )
    found = checks(done)

    assert done.returncode == ExitStatus.ENGINE_FAILED
    assert (found["engine"]["status"], found["engine"]["found"]) == ("problem", "no answer within 15 s")
    assert found["prefect"]["status"] == "problem"
    assert f"http://***@127.0.0.1:{silent}/api" in found["prefect"]["found"]
    assert found["data folder"]["status"] == "ok"
    assert "hunter2" not in done.stdout + done.stderr
