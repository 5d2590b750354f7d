"""What all tests share: the engines, a Prefect server, and the marker for what is too long for every day."""

import signal
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.engines.fixtures",
    "tests.support.acceptance",
    "tests.support.github_fixtures",
    "tests.support.prefect_server",
]


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that have runs on the real engine follow each other: each of them would tidy up what another leaves on purpose."""
    here = Path(__file__).parent
    for item in items:
        if item.get_closest_marker("docker") and item.path.relative_to(here).parts[0] not in WITHOUT_RUNS:
            item.add_marker(pytest.mark.xdist_group("engine"))


WITHOUT_RUNS = {"repository", "results", "webhook"}
"""Folders whose tests need servers, and make no runs on the engine."""
