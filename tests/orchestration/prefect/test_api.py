"""To which Prefect a run reports, as it is shown."""

from __future__ import annotations

from contextvars import copy_context
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from dockercise_prefect.orchestration.prefect.api import ask_once, shown_api, worker_variables
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


def test_asking_once_changes_nothing_else() -> None:
    """After `ask_once`, Prefect's client does not repeat requests in this context; address and login stay the same."""

    def asked() -> tuple[int, str | None, bool]:
        ask_once()
        return PREFECT_CLIENT_MAX_RETRIES.value(), PREFECT_API_URL.value(), PREFECT_API_AUTH_STRING.value() is not None

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:4200/api", PREFECT_API_AUTH_STRING: "ada:hunter2"}):
        before = PREFECT_CLIENT_MAX_RETRIES.value()
        once = copy_context().run(asked)
        after = PREFECT_CLIENT_MAX_RETRIES.value()

    assert once == (0, "http://127.0.0.1:4200/api", True)
    assert before == after != 0
