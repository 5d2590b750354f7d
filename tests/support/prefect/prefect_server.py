"""A real Prefect server for the tests. All workers of a session share it, and it is removed at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from dockercise_prefect.orchestration.prefect.local_server import LocalServer, ServerFolder

DATA = "DOCKERCISE_TEST_DATA"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder in the controller. The workers of pytest-xdist inherit it."""
    if DATA not in os.environ:
        os.environ[DATA] = tempfile.mkdtemp(prefix="dockercise-tests-")
        config.stash[_OWNED] = Path(os.environ[DATA])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what runs in the folder and remove it, in the process that chose the folder."""
    data = config.stash.get(_OWNED, None)
    if data is not None:
        ServerFolder(data).down()
        shutil.rmtree(data, ignore_errors=True)
        del os.environ[DATA]


_OWNED = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The data folder of this test session and its Prefect server."""
    return Path(os.environ[DATA])


@pytest.fixture(scope="session")
def server(data_folder: Path) -> LocalServer:
    """The session's Prefect server, healthy. The first test that needs it starts it."""
    return ServerFolder(data_folder).up(lambda _text: None)


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """See `with_one_certificate`."""
    return with_one_certificate(tmp_path_factory.mktemp("certificates"))


def with_one_certificate(folder: Path) -> str:
    """A file with one certificate. Every client of Prefect reads those of all authorities, which takes longer than its work."""
    pem = Path(certifi.where()).read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----\n"
    file = folder / "one.pem"
    file.write_text(pem[: pem.index(end)] + end, encoding="utf-8")
    return str(file)


@pytest.fixture
def prefect_api(server: LocalServer, one_certificate: str) -> Iterator[str]:
    """Let flows in this process report to the session's server. Gives the address of its API."""
    from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_API_SSL_CERT_FILE: one_certificate}):
        yield server.api_url
