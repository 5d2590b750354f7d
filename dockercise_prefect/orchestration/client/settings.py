"""Prefect's settings with a few changes, for a part of this process.

Prefect's own function for this, `temporary_settings`, reads all settings again, from all places. That takes 20 ms of processor
time, and more if other threads work.
"""

from __future__ import annotations

from typing import Any

from prefect.context import SettingsContext, get_settings_context
from pydantic import SecretStr


def asking_once() -> SettingsContext:
    """The current settings, but failed requests are not repeated. A context manager."""
    return _changed(client={"max_retries": 0, "server_version_check_enabled": False})


def without_engine_heartbeat() -> SettingsContext:
    """The current settings, but Prefect's engine does not send heartbeats of flow runs. A context manager."""
    return _changed(flows={"heartbeat_frequency": None})


def reporting_to(api_url: str, ui_url: str, login: str | None) -> SettingsContext:
    """The current settings, but the API is another one. A context manager.

    Args:
        api_url: the address of the API.
        ui_url: the address of its UI. The user's setting takes precedence.
        login: the `name:password` that it requires; None if it does not require one.
    """
    secret = None if login is None else SecretStr(login)
    context = _changed(api={"url": api_url, "auth_string": secret})
    if "ui_url" not in context.settings.model_fields_set:
        settings = context.settings.model_copy(update={"ui_url": ui_url})
        return SettingsContext(profile=context.profile, settings=settings)
    return context


def _changed(**groups: dict[str, Any]) -> SettingsContext:
    """The current settings with these values, which are not checked."""
    context = get_settings_context()
    changed = {name: getattr(context.settings, name).model_copy(update=values) for name, values in groups.items()}
    return SettingsContext(profile=context.profile, settings=context.settings.model_copy(update=changed))
