"""The Prefect API that a run reports to: the configured API, otherwise the local server."""

from __future__ import annotations

import json
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
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL
from pydantic import ValidationError

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.client.settings import asking_once, reporting_to
from dockercise_prefect.orchestration.prefect.local_server import ServerFolder

LOST = (httpx.HTTPError, PrefectException, json.JSONDecodeError, UnicodeDecodeError, ValidationError)
"""The exceptions that Prefect raises if its API does not answer, or gives an answer that is wrong or cannot be read."""

GONE = (httpx.ConnectError, httpx.TimeoutException)
"""Those of them that say that nobody answers."""

LOST_SECONDS = 60.0
"""How many seconds the end of a run waits for an API that does not answer, because the API may be restarting."""


def configured_api() -> str | None:
    """The API from the user's environment or Prefect profile; None if no API is configured."""
    url: str | None = PREFECT_API_URL.value()
    return url


def shown_api() -> str:
    """The same address, safe to show: a password in it is replaced by `***`."""
    url = urlsplit(configured_api() or "")
    place = url.netloc.rpartition("@")[2]
    return url._replace(netloc=f"***@{place}" if "@" in url.netloc else place).geturl()


def worker_variables(data: Path) -> Iterator[str]:
    """The variables that the shell of a worker sets to reach the same API, safe to show.

    They say where the login is, or that a login is needed.

    Args:
        data: the user's data folder, where the local server keeps its files.
    """
    yield f"PREFECT_API_URL={shown_api()}"
    if login := PREFECT_API_AUTH_STRING.value():
        folder = ServerFolder(data)
        yield folder.login_variable() if folder.login() == login else "PREFECT_API_AUTH_STRING=NAME:PASSWORD"


@contextmanager
def prefect_api(data: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Inside, flows report to the configured API, or to the local server, which is started if needed.

    Args:
        data: the user's data folder, where the local server keeps its files.
        notify: called with a message when the local server is started, because that takes seconds.

    Raises:
        OrchestratorError: the local server cannot be started.
    """
    if configured_api():
        yield
        return
    folder = ServerFolder(data)
    server = folder.up(notify)
    with reporting_to(server.api_url, server.ui_url, folder.login()):
        yield


def lost_api(error: Exception) -> OrchestratorError:
    """The error for a failure of Prefect."""
    return OrchestratorError(
        f"Prefect failed: {type(error).__name__}: {error}", "`dockercise doctor` examines Prefect, and says what to do"
    )


def missing_api(data: Path, notify: Callable[[str], None]) -> Exception | None:
    """Check whether Prefect answers, and wait a while for it. Return None as soon as it answers, otherwise the last error.

    If the API is that of the local server, and its process has ended, the server is started again.

    Args:
        data: the user's data folder, where the local server keeps its files.
        notify: called with a message that says what is waited for.
    """
    error = _api_error()
    if error is not None and _restarted(data, notify):
        error = _api_error()
    deadline = time.monotonic() + LOST_SECONDS
    if error is not None:
        notify(f"Prefect does not answer: waiting up to {LOST_SECONDS:g} s to report how the run ended")
    while error is not None and time.monotonic() < deadline:
        time.sleep(1)
        error = _api_error()
    return error


def _restarted(data: Path, notify: Callable[[str], None]) -> bool:
    """Start the local server again, if it was the API and its process has ended. Return whether it answers now."""
    folder = ServerFolder(data)
    api = configured_api()
    try:
        if api is None or not folder.has_ended_at(api):
            return False
        notify("the local Prefect server has ended: starting it again to report how the run ended")
        return folder.up(notify).api_url == api
    except OrchestratorError as error:
        notify(f"the local Prefect server did not start again: {error.message}")
        return False


def _api_error() -> Exception | None:
    with asking_once(), get_client(sync_client=True) as client:
        return client.api_healthcheck()


def ask_once() -> None:
    """From here on, do not repeat failed requests to Prefect in this context: it has been waited for long enough.

    Prefect's engine would try for two minutes to report the end of the flow run to an API that is gone.
    """
    asking_once().__enter__()


def leave_lost_api(status: int) -> NoReturn:
    """End this process now, after a run whose API was lost. All output has been shown and written.

    A normal exit waits for Prefect's threads. They try for seven seconds to send each event of the run to the API that is
    gone: more than an hour for two hundred stages.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
