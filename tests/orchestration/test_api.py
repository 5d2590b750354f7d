"""Which Prefect a run reports to, as it is shown."""

from __future__ import annotations

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.api import shown_api


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("https://ada:hunter2@prefect.example.org/api", "https://***@prefect.example.org/api"),
    ],
)
def test_a_password_in_the_address_is_not_shown(url: str, shown: str) -> None:
    """Commands print the address for the worker's terminal, and perhaps into a log."""
    with temporary_settings({PREFECT_API_URL: url}):
        assert shown_api() == shown
