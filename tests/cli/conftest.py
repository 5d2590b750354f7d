"""Fixtures that the tests of the commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Command
from tests.support.hosts.github_server import TOKEN, GitHubServer

if TYPE_CHECKING:
    from tests.cli.connected_world import World


@pytest.fixture
def world(
    tmp_path: Path, prefect_api: str, github_server: GitHubServer, command: Command, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A repository on GitHub that can be connected, and a token for it."""
    from tests.cli.connected_world import running_world

    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with running_world(tmp_path, github_server, command) as world:
        yield world
