"""A real Prefect server for the tests: one for the whole session, all workers of it included, gone at its end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.prefect.local_server import LocalServer, ServerFolder

DATA = "DOCKERCISE_TEST_DATA"


def pytest_configure(config: pytest.Config) -> None:
    """The controller chooses the folder; workers of pytest-xdist inherit it."""
    if DATA not in os.environ:
        os.environ[DATA] = tempfile.mkdtemp(prefix="dockercise-tests-")
        config.stash[_OWNED] = Path(os.environ[DATA])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Whoever chose the folder stops what runs in it and removes it."""
    data = config.stash.get(_OWNED, None)
    if data is not None:
        ServerFolder(data).down()
        shutil.rmtree(data, ignore_errors=True)
        del os.environ[DATA]


_OWNED = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The data folder of this test session, where its Prefect server lives."""
    return Path(os.environ[DATA])


@pytest.fixture(scope="session")
def server(data_folder: Path) -> LocalServer:
    """The session's Prefect server, healthy; started by whichever test asks first."""
    return ServerFolder(data_folder).up(lambda _text: None)


@pytest.fixture
def prefect_api(server: LocalServer) -> Iterator[str]:
    """Flows called in this process report to the session's server; its API's address."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield server.api_url
