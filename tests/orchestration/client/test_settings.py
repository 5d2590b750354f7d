"""Prefect's settings with a few changes are the same as if Prefect had changed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_UI_URL,
    get_current_settings,
    temporary_settings,
)

from dockercise_prefect.orchestration.client.settings import asking_once, reporting_to, without_engine_heartbeat


def seen() -> dict[str, Any]:
    """All current settings, apart from those that only a server reads."""
    return get_current_settings().model_dump(exclude={"server"})


def changed_by_prefect(updates: Mapping[Any, Any]) -> dict[str, Any]:
    """All settings as Prefect changes them."""
    with temporary_settings(updates):
        return seen()


def test_failed_requests_are_not_repeated() -> None:
    """Inside, only these settings differ. Afterwards, failed requests are repeated again."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 7}):
        wanted = changed_by_prefect({PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False})
        with asking_once():
            inside = seen()
        outside = PREFECT_CLIENT_MAX_RETRIES.value()

    assert (inside, outside) == (wanted, 7)


def test_the_engine_sends_no_heartbeat() -> None:
    """Inside, only this setting differs."""
    with temporary_settings({}):  # as other tests have left the environment
        wanted = changed_by_prefect({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
        with without_engine_heartbeat():
            inside = seen()

    assert inside == wanted


@pytest.mark.parametrize("login", [None, "name:password"])
@pytest.mark.parametrize("user", [{}, {PREFECT_UI_URL: "https://prefect.example"}])
def test_another_api(login: str | None, user: Mapping[Any, Any]) -> None:
    """Inside, Prefect's clients use this API with this login, and links lead to its UI, unless the user has set another one."""
    with temporary_settings(user, restore_defaults={PREFECT_API_URL, PREFECT_API_AUTH_STRING, PREFECT_UI_URL} - user.keys()):
        wanted = changed_by_prefect({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_API_AUTH_STRING: login})
        with reporting_to("http://127.0.0.1:9/api", "http://127.0.0.1:9", login):
            inside = seen()
        outside = PREFECT_API_URL.value()

    assert (inside, outside) == (wanted, None)
