"""Which Prefect API a run reports to: the configured one, else the local server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.local_server import ServerFolder


def configured_api() -> str | None:
    """The API that the user's environment or Prefect profile names, None when there is none."""
    url: str | None = PREFECT_API_URL.value()
    return url


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
    server = ServerFolder(data).up(notify)
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield
