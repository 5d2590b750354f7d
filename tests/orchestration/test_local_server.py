"""The local Prefect server: started once, found again, stopped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.local_server import LocalServer, ServerFolder, started


def quiet(_text: str) -> None:
    """Nobody is told."""


@pytest.mark.docker
def test_the_server_answers_and_is_found_again(server: LocalServer, data_folder: Path) -> None:
    """A second `up` returns the server that runs, and says nothing about starting one."""
    said: list[str] = []

    again = ServerFolder(data_folder).up(said.append)

    assert again == server
    assert again.healthy()
    assert said == []


def test_a_process_that_took_over_the_id_is_not_the_server(tmp_path: Path) -> None:
    """A remembered process id that now belongs to a younger process is not believed, and never signalled."""
    record = LocalServer(port=1, pid=os.getpid(), started=f"{started(os.getpid())}0")
    (tmp_path / "server.json").write_text(json.dumps({"port": record.port, "pid": record.pid, "started": record.started}))

    found = ServerFolder(tmp_path).find()
    stopped = ServerFolder(tmp_path).down()

    assert found is None
    assert stopped is None


@pytest.mark.docker
@pytest.mark.parametrize("since", ["somewhen", psutil.Process().create_time(), None], ids=["text", "time", "nothing"])
def test_a_server_that_the_record_does_not_know_is_found_by_asking_it(
    server: LocalServer, data_folder: Path, since: str | float | None
) -> None:
    """A record of an earlier version, or of nothing, does not make a second server open the database of one that runs."""
    record = data_folder / "server.json"
    kept = record.read_text()
    record.write_text(json.dumps({"port": server.port, "pid": os.getpid(), "started": since}))

    again = ServerFolder(data_folder).up(quiet)

    assert again == server
    assert json.loads(record.read_text()) == json.loads(kept)


@pytest.mark.docker
def test_a_server_of_another_folder_is_not_taken(server: LocalServer, tmp_path: Path) -> None:
    """A Prefect server that answers at the remembered port, but keeps its things elsewhere, is somebody else's."""
    (tmp_path / "server.json").write_text(json.dumps({"port": server.port, "pid": 0, "started": ""}))

    found = ServerFolder(tmp_path).find()

    assert found is None


def test_a_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a process was started is counted in ticks of the kernel, not in seconds of a clock."""
    server = LocalServer(port=1, pid=os.getpid(), started=started(os.getpid()) or "")
    before = psutil.Process().create_time()

    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 0.0)  # what follows the clock

    assert psutil.Process().create_time() != before
    assert server.process() is not None


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"port": 1}', "[]"])
def test_a_broken_record_is_no_server(tmp_path: Path, content: str) -> None:
    """A half-written or foreign `server.json` counts as none."""
    (tmp_path / "server.json").write_text(content)

    assert ServerFolder(tmp_path).find() is None


def test_down_without_a_server_does_nothing(tmp_path: Path) -> None:
    """Stopping what never ran is done."""
    assert ServerFolder(tmp_path).down() is None


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """The error names the folder."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OrchestratorError, match="file"):
        ServerFolder(tmp_path / "file" / "data").up(quiet)


@pytest.mark.docker
def test_several_that_ask_at_once_get_one_server_and_a_busy_port_is_left_alone(tmp_path: Path) -> None:
    """Two threads and a taken preferred port: one server starts, on another port, and `down` leaves no process."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        (tmp_path / "server.json").write_text(json.dumps({"port": taken, "pid": 0, "started": ""}))
        servers: list[LocalServer] = []
        threads = [threading.Thread(target=lambda: servers.append(ServerFolder(tmp_path).up(quiet))) for _ in range(2)]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stopped = ServerFolder(tmp_path).down()

    assert len(set(servers)) == 1
    assert servers[0].port != taken
    assert stopped == servers[0]
    assert stopped.process() is None


@pytest.mark.docker
def test_the_server_outlives_the_process_that_started_it(server: LocalServer, data_folder: Path) -> None:
    """What another process finds is the same server, still up after that process has ended."""
    program = (
        "import sys; from pathlib import Path; from dockercise_prefect.orchestration.local_server import ServerFolder;"
        "print(ServerFolder(Path(sys.argv[1])).up(print).pid)"
    )

    said = subprocess.run([sys.executable, "-c", program, str(data_folder)], check=True, capture_output=True, text=True)

    assert said.stdout.split() == [str(server.pid)]
    assert server.healthy()
