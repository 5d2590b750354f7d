"""How tests call the command line: whole, with what it prints and its exit status, but in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dockercise_prefect.cli import main
from tests.support.github_server import TOKEN, GitHubServer

if TYPE_CHECKING:
    from tests.cli.connected_world import World


class Outcome(NamedTuple):
    """What a user sees of a command."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call `dockercise` with arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # Commands set it for their own process, which is that of all tests here.
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["dockercise", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return call


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
