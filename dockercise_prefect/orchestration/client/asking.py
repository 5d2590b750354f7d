"""Settings for clients of Prefect that ask only once, and for those that do not wait long for an answer."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx
from prefect.context import SettingsContext, get_settings_context
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY


def asking_once() -> SettingsContext:
    """The current settings, but failed requests are not repeated. A context manager.

    Prefect's own function for this reads all settings again, from all places, which takes 10 to 80 ms.
    """
    context = get_settings_context()
    once = {"max_retries": 0, "server_version_check_enabled": False}
    client = context.settings.client.model_copy(update=once)
    return SettingsContext(profile=context.profile, settings=context.settings.model_copy(update={"client": client}))


def answered_within(seconds: float) -> dict[str, Any]:
    """The `httpx_settings` for a client of its own, with a limit for each answer.

    All of these clients share what they know of certificates. Each client of Prefect reads it again, which takes 20 ms.

    Args:
        seconds: how long an answer may take.
    """
    file = PREFECT_API_SSL_CERT_FILE.value()
    return {"timeout": seconds, "verify": _certificates(file, is_skipped=PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value())}


@cache
def _certificates(file: str | None, *, is_skipped: bool) -> ssl.SSLContext:
    """The same as Prefect's own clients have with these settings."""
    if file and not is_skipped:
        return ssl.create_default_context(cafile=file)
    return httpx.create_ssl_context(verify=not is_skipped, trust_env=False)
