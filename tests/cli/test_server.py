"""What `up`, `down` and `status` print."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.prefect.api import prefect_api
from dockercise_prefect.orchestration.prefect.local_server import LocalServer, ServerFolder
from tests.support.command import Command

ADDRESS = "https://ada:hunter2@prefect.example.org/api"


def test_status_names_another_prefect_without_its_password(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If PREFECT_API_URL is set, `status` shows that runs go there and not to the local server."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", ADDRESS)

    with temporary_settings({PREFECT_API_URL: ADDRESS}):
        outcome = command("status")

    assert "runs report to https://***@prefect.example.org/api, not to the local server" in outcome.out
    assert "no local Prefect server is running" in outcome.out
    assert "hunter2" not in outcome.out + outcome.err
    assert outcome.status == ExitStatus.ENGINE_FAILED


@pytest.mark.docker
def test_up_with_a_login_says_what_others_need_and_runs_have_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API refuses clients without a login; runs have it by themselves, and the printed line gives it to everybody else."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "my data"))
    folder = ServerFolder(tmp_path / "my data")
    try:
        outcome = command("up", "--login")
        export = outcome.out.splitlines()[-1]
        said = subprocess.run(["sh", "-c", f'{export}; printf %s "$PREFECT_API_AUTH_STRING"'], check=True, capture_output=True)
        server = folder.find()
        assert server is not None
        refused = httpx.post(f"{server.api_url}/block_documents/filter", json={})
        with prefect_api(tmp_path / "my data", lambda _text: None), get_client(sync_client=True) as client:
            known = client.request("POST", "/block_documents/filter", json={})
        changed = command("up", "--no-login")
        again = command("up", "--login")
    finally:
        folder.down()

    login = said.stdout.decode()
    assert login == folder.login()
    assert len(login) > 30
    assert login not in outcome.out + outcome.err
    assert folder.login_file.stat().st_mode & 0o777 == 0o600
    assert (refused.status_code, known.status_code) == (401, 200)
    assert changed.status == ExitStatus.ENGINE_FAILED
    assert "is already running" in changed.err
    assert (again.status, again.out) == (0, outcome.out)


@pytest.mark.docker
def test_a_server_that_runs_without_a_login_gets_none(
    command: Command, server: LocalServer, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new login would lock out the present users of a running server, so the server must be stopped first."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(data_folder))

    outcome = command("up", "--login")

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert f"is already running ({server.ui_url})" in outcome.err
    assert "dockercise down" in outcome.err
    assert ServerFolder(data_folder).login() is None


def test_a_login_of_the_users_own_is_kept_and_given_up(tmp_path: Path) -> None:
    """The login from the environment is used from the next start on, until no login is wanted."""
    folder = ServerFolder(tmp_path)

    folder.require_login("ada:first")
    folder.require_login("ada:second")
    kept = folder.login()
    folder.require_no_login()

    assert kept == "ada:second"
    assert folder.login() is None
