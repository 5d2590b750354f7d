"""Which Prefect API a run reports to: the configured one, else the local server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import httpx
from prefect.client.orchestration import get_client
from prefect.context import SettingsContext, get_settings_context
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.prefect.local_server import ServerFolder

LOST = (httpx.HTTPError, PrefectException)
"""What Prefect raises when its API does not answer, or not as it should."""

LOST_SECONDS = 20.0
"""Seconds that the end of a run waits for an API that does not answer: it may be starting again."""


def configured_api() -> str | None:
    """The API that the user's environment or Prefect profile names, None when there is none."""
    url: str | None = PREFECT_API_URL.value()
    return url


def shown_api() -> str:
    """The same, fit to be shown: a password in it is `***`."""
    url = urlsplit(configured_api() or "")
    place = url.netloc.rpartition("@")[2]
    return url._replace(netloc=f"***@{place}" if "@" in url.netloc else place).geturl()


def worker_variables(data: Path) -> Iterator[str]:
    """What a worker's shell sets to reach the same API, fit to be shown: where the login is, or that there has to be one.

    Args:
        data: the user's data folder, where the local server lives.
    """
    yield f"PREFECT_API_URL={shown_api()}"
    if login := PREFECT_API_AUTH_STRING.value():
        folder = ServerFolder(data)
        yield folder.login_variable() if folder.login() == login else "PREFECT_API_AUTH_STRING=NAME:PASSWORD"


@contextmanager
def prefect_api(data: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Flows that are called inside report to the configured API, or to the local server, which is started when needed.

    Args:
        data: the user's data folder, where the local server lives.
        notify: told when the local server is started, since that takes seconds.

    Raises:
        OrchestratorError: the local server cannot be started.
    """
    if configured_api():
        yield
        return
    folder = ServerFolder(data)
    server = folder.up(notify)
    with temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: folder.login()}):
        yield


def lost_api(error: Exception) -> OrchestratorError:
    """What is said when Prefect failed us."""
    return OrchestratorError(
        f"Prefect failed: {type(error).__name__}: {error}", "`dockercise status` shows the state of the server"
    )


def missing_api(notify: Callable[[str], None]) -> Exception | None:
    """Why Prefect does not answer, where it does not for a while; None as soon as it does.

    Args:
        notify: told what is waited for.
    """
    deadline = time.monotonic() + LOST_SECONDS
    error = _api_error()
    if error is not None:
        notify(f"Prefect does not answer: waiting {LOST_SECONDS:g} s for it, to report how the run ended")
    while error is not None and time.monotonic() < deadline:
        time.sleep(1)
        error = _api_error()
    return error


def _api_error() -> Exception | None:
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        return client.api_healthcheck()


def ask_once() -> None:
    """From here on, whatever is asked of Prefect in this context is asked once: it has been waited for long enough.

    Prefect's engine would try for two minutes to tell an API that is gone how the flow run ended.
    """
    context = get_settings_context()
    settings = context.settings.copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})
    SettingsContext(profile=context.profile, settings=settings).__enter__()


def leave_lost_api(status: int) -> NoReturn:
    """End this process now, after a run whose API was lost, with everything said and written.

    An interpreter that ends waits for Prefect's threads, and they try for seven seconds with every event of the run to tell an
    API that is gone: more than an hour for two hundred stages.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
