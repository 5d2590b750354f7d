"""What clients of Prefect are made with, if they are not the client of the flow run: certificates, and limits for answers."""

from __future__ import annotations

import ssl
import threading
from functools import cache
from typing import Any

import httpx
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY


def answered_within(seconds: float) -> dict[str, Any]:
    """The `httpx_settings` for a client of its own, with a limit for each answer.

    Args:
        seconds: how long an answer may take.
    """
    return {**sharing_certificates(), "timeout": seconds}


def sharing_certificates() -> dict[str, Any]:
    """The `httpx_settings` for a client of its own.

    All of these clients share what they know of certificates. Each other client of Prefect reads it again, which takes 18 ms.
    """
    file, is_skipped = PREFECT_API_SSL_CERT_FILE.value(), PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value()
    with _READING:  # threads that begin together wait for the first one
        return {"verify": _certificates(file, is_skipped=is_skipped)}


_READING = threading.Lock()


@cache
def _certificates(file: str | None, *, is_skipped: bool) -> ssl.SSLContext:
    """The same as Prefect's own clients have with these settings."""
    if file and not is_skipped:
        return ssl.create_default_context(cafile=file)
    return httpx.create_ssl_context(verify=not is_skipped, trust_env=False)
