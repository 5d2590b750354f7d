"""To which Prefect a run reports, as it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.prefect.api import shown_api, worker_variables
from dockercise_prefect.orchestration.prefect.local_server import ServerFolder


def test_a_worker_is_told_where_the_login_is(tmp_path: Path) -> None:
    """The command names the file with the local server's login, or requests that of another server; it shows no login."""
    folder = ServerFolder(tmp_path)
    folder.require_login("ada:hunter2")
    url = "http://127.0.0.1:4200/api"

    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: "ada:hunter2"}):
        own = list(worker_variables(tmp_path))
        another = list(worker_variables(tmp_path / "elsewhere"))
    with temporary_settings({PREFECT_API_URL: url}):
        without = list(worker_variables(tmp_path))

    assert own == [f"PREFECT_API_URL={url}", f'PREFECT_API_AUTH_STRING="$(cat {tmp_path}/server.login)"']
    assert another == [f"PREFECT_API_URL={url}", "PREFECT_API_AUTH_STRING=NAME:PASSWORD"]
    assert without == [f"PREFECT_API_URL={url}"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("https://ada:hunter2@prefect.example.org/api", "https://***@prefect.example.org/api"),
    ],
)
def test_a_password_in_the_address_is_not_shown(url: str, shown: str) -> None:
    """The address is printed for the worker's terminal, and perhaps into a log."""
    with temporary_settings({PREFECT_API_URL: url}):
        assert shown_api() == shown
