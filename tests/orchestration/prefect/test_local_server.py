"""The local Prefect server is started once, found again and stopped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.prefect.identity import answer, make_secret
from dockercise_prefect.orchestration.prefect.local_server import LocalServer, ServerFolder, started
from tests.support.foreign_site import foreign_site


def quiet(_text: str) -> None:
    """Ignore all messages."""


@pytest.mark.docker
def test_the_server_answers_and_is_found_again(server: LocalServer, data_folder: Path) -> None:
    """A second `up` returns the running server, and does not report a start."""
    said: list[str] = []

    again = ServerFolder(data_folder).up(said.append)

    assert again == server
    assert ServerFolder(data_folder).answers(again)
    assert said == []


def test_a_process_that_took_over_the_id_is_not_the_server(tmp_path: Path) -> None:
    """A recorded process id that now belongs to a younger process is not trusted, and never gets a signal."""
    record = LocalServer(port=1, pid=os.getpid(), started=f"{started(os.getpid())}0")
    (tmp_path / "server.json").write_text(json.dumps({"port": record.port, "pid": record.pid, "started": record.started}))

    found = ServerFolder(tmp_path).find()
    stopped = ServerFolder(tmp_path).down()

    assert found is None
    assert stopped is None


@pytest.mark.docker
def test_a_server_that_the_record_does_not_know_is_found_by_asking_it(server: LocalServer, data_folder: Path) -> None:
    """With an old record or none, a second server does not open the database of the one that runs."""
    record = data_folder / "server.json"
    kept = record.read_text()
    for since in ("somewhen", psutil.Process().create_time(), None):  # one after the other: they all change the same file
        record.write_text(json.dumps({"port": server.port, "pid": os.getpid(), "started": since}))

        again = ServerFolder(data_folder).up(quiet)

        assert again == server
        assert json.loads(record.read_text()) == json.loads(kept)


@pytest.mark.docker
def test_a_server_of_another_folder_is_not_taken(server: LocalServer, tmp_path: Path) -> None:
    """A server at the recorded port that does not prove that it is this folder's belongs to somebody else."""
    (tmp_path / "server.json").write_text(json.dumps({"port": server.port, "pid": 0, "started": ""}))
    (tmp_path / "server.secret").write_text("not the other folder's")

    found = ServerFolder(tmp_path).find()

    assert found is None


def test_what_answers_at_the_port_of_the_server_is_not_believed(tmp_path: Path) -> None:
    """A recorded process that does not prove that it is the server gets no runs, and the error says what to do."""
    with foreign_site() as port:
        record = LocalServer(port, os.getpid(), started(os.getpid()) or "")
        (tmp_path / "server.json").write_text(json.dumps(record.as_json()))

        with pytest.raises(OrchestratorError, match=f"127.0.0.1:{port} is not the server of") as raised:
            ServerFolder(tmp_path).up(quiet)

    assert "dockercise down" in str(raised.value.hint)


def test_a_proof_holds_for_one_port_only(tmp_path: Path) -> None:
    """A server cannot pass on the proof of another one, because the port is part of the proof."""
    secret = make_secret(tmp_path / "secret")
    real = LocalServer(port=1, pid=2, started="3")

    passed_on = answer(secret, "challenge", real.as_json())
    forged = answer(secret, "challenge", (other := replace(real, port=4)).as_json())

    assert LocalServer.from_json(passed_on["claim"]) != other
    assert forged["proof"] != passed_on["proof"]


def test_the_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    """The secret is made once, and nobody else may read it."""
    made = make_secret(tmp_path / "secret")

    assert make_secret(tmp_path / "secret") == made
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert len(made) == 64


@pytest.mark.docker
@pytest.mark.acceptance
def test_two_folders_that_start_at_once_get_a_server_each(tmp_path: Path) -> None:
    """If the servers of two users start at the same moment, they use two ports, and each folder's runs reach its own server."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    folders = [ServerFolder(tmp_path / name) for name in ("one", "other")]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        wanted = probe.getsockname()[1]
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server.json").write_text(json.dumps({"port": wanted, "pid": 0, "started": ""}))
    try:
        with ThreadPoolExecutor() as pool:
            servers = list(pool.map(lambda folder: folder.up(quiet), folders))
        homes = []
        for server in servers:
            with temporary_settings({PREFECT_API_URL: server.api_url}), get_client(sync_client=True) as client:
                homes.append(client.request("GET", "/admin/settings").json()["home"])
        found = [folder.find() for folder in folders]
    finally:
        for folder in folders:
            folder.down()

    assert len({server.port for server in servers}) == 2
    assert wanted in {server.port for server in servers}
    assert homes == [str(tmp_path / name / "prefect") for name in ("one", "other")]
    assert found == servers


def test_a_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of a process is counted in ticks of the kernel, not in seconds of a clock."""
    server = LocalServer(port=1, pid=os.getpid(), started=started(os.getpid()) or "")
    before = psutil.Process().create_time()

    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 0.0)  # everything that follows the clock

    assert psutil.Process().create_time() != before
    assert server.process() is not None


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"port": 1}', "[]"])
def test_a_broken_record_is_no_server(tmp_path: Path, content: str) -> None:
    """A half-written or foreign `server.json` counts as no server."""
    (tmp_path / "server.json").write_text(content)

    assert ServerFolder(tmp_path).find() is None


def test_down_without_a_server_does_nothing(tmp_path: Path) -> None:
    """It is fine to stop a server that never ran."""
    assert ServerFolder(tmp_path).down() is None


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """The error names the folder."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OrchestratorError, match="file"):
        ServerFolder(tmp_path / "file" / "data").up(quiet)


@pytest.mark.docker
def test_several_that_ask_at_once_get_one_server_and_a_busy_port_is_left_alone(tmp_path: Path) -> None:
    """With two threads and a busy preferred port, one server starts, on another port, and `down` leaves no process."""
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
    """Another process finds the same server, which still runs after the first process has ended."""
    program = (
        "import sys; from pathlib import Path; from dockercise_prefect.orchestration.prefect.local_server import ServerFolder;"
        "print(ServerFolder(Path(sys.argv[1])).up(print).pid)"
    )

    said = subprocess.run([sys.executable, "-c", program, str(data_folder)], check=True, capture_output=True, text=True)

    assert said.stdout.split() == [str(server.pid)]
    assert ServerFolder(data_folder).answers(server)
