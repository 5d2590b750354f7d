"""`connect` without a repository, with a kept login, on a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dockercise_prefect.connect.logins import Login, Logins
from tests.cli.connected_world import URL, World
from tests.support.hosts.github_server import TOKEN
from tests.support.pseudo_terminal import PseudoTerminal


@pytest.mark.docker
@pytest.mark.timeout(180)
def test_repository_is_chosen(world: World, tmp_path: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user chooses one of the repositories that the login administers, and it is the one that would be connected."""
    monkeypatch.delenv("GITHUB_TOKEN")
    host = world.github.api.removeprefix("http://")
    Logins(tmp_path / "data").keep(Login(host=host, user="octocat", token=TOKEN))
    world.github.host("acme/of-others", admin=False)
    arguments = ["connect", "--webhook-url", URL, "--api", world.github.api, "--dry-run"]
    environment = dict(os.environ) | {"TERM": "xterm", "PREFECT_API_URL": prefect_api}

    with PseudoTerminal([sys.executable, "-m", "dockercise_prefect", *arguments], tmp_path, environment) as terminal:
        terminal.until("with the login of octocat")
        terminal.until("Enter to choose: ")
        terminal.press(f"{world.name}\r")
        terminal.until(f"{world.name} on {host}: private")
        terminal.until(f"would add a webhook of {world.name}")

        assert terminal.end() == 0
        assert "acme/of-others" not in terminal.seen
