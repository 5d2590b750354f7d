"""Which Prefect API a run reports to: the configured one, else the local server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import httpx
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.local_server import ServerFolder

LOST = (httpx.HTTPError, PrefectException)
"""What Prefect raises when its API does not answer, or not as it should."""


def configured_api() -> str | None:
    """The API that the user's environment or Prefect profile names, None when there is none."""
    url: str | None = PREFECT_API_URL.value()
    return url


def shown_api() -> str:
    """The same, fit to be shown: a password in it is `***`."""
    url = urlsplit(configured_api() or "")
    place = url.netloc.rpartition("@")[2]
    return url._replace(netloc=f"***@{place}" if "@" in url.netloc else place).geturl()


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
    return OrchestratorError(f"Prefect failed: {type(error).__name__}: {error}", "`dockercise status` says how the server is")


def leave_lost_api(status: int) -> NoReturn:
    """End this process now, after a run whose API was lost, with everything said and written.

    An interpreter that ends waits for Prefect's threads, and they try for seven seconds with every event of the run to tell an
    API that is gone: more than an hour for two hundred stages.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
