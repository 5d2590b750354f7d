"""A fixture with GitHub on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hosts.github_server import GitHubServer, running_github


@pytest.fixture
def github_server() -> Iterator[GitHubServer]:
    """A GitHub with the repository acme/infra. A request that is not in GitHub's description fails the test."""
    with running_github() as server:
        server.host("acme/infra")
        yield server
    assert server.wrong == []
