"""The page on the local server: everything that it shows exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from starlette.datastructures import Headers

from dockercise_prefect.cli import dockercise
from dockercise_prefect.orchestration.prefect.guard import refusal
from dockercise_prefect.orchestration.prefect.local_server import ServerFolder
from dockercise_prefect.settings import ConfigFile, Folders, load

PAGE = (Path(__file__).resolve().parents[1] / "docs/server.md").read_text()
FOLDERS = Folders(working=Path("/work"), home=Path("/home/me"), data=Path("/home/me/.local/share/dockercise"))


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`?dockercise (\w+(?: --[\w-]+)?)", PAGE))))
def test_every_command_is_there(words: str) -> None:
    """The commands and flags on the page exist."""
    name, *flags = words.split()
    command = dockercise.get_command(click.Context(dockercise), name)
    assert command is not None

    known = {flag for option in command.params for flag in [*option.opts, *option.secondary_opts]}

    assert set(flags) <= known


def test_the_login_is_where_the_page_says() -> None:
    """The line that gives a worker the login names the file that `up --login` writes."""
    (named,) = re.findall(r'PREFECT_API_AUTH_STRING="\$\(cat (.*)\)"', PAGE)

    assert Path(named.replace("~", "/home/me")) == ServerFolder(load({}, None, {}, FOLDERS).data).login_file


def test_both_ways_to_name_a_host_mean_the_same() -> None:
    """The variable and the line of the settings file allow the host that the page shows."""
    (variable,) = re.findall(r"export DOCKERCISE_SERVER_HOSTS=(.*)", PAGE)
    (line,) = re.findall(r"`(server_hosts = .*?)`", PAGE)
    by_variable = load({"DOCKERCISE_SERVER_HOSTS": variable}, None, {}, FOLDERS)
    by_file = load({}, ConfigFile(Path("/etc/config.toml"), line), {}, FOLDERS)

    asked = refusal(Headers({"host": variable}), "GET", frozenset(by_variable.server_hosts))

    assert by_variable == by_file
    assert asked is None


def test_the_tunnel_needs_nothing() -> None:
    """The server accepts the address at the near end of the tunnel without any setting."""
    ((near, far),) = re.findall(r"ssh -L (\d+):127.0.0.1:(\d+) ", PAGE)

    host = f"localhost:{near}"

    assert f"http://{host}" in PAGE
    assert far == "4200"
    assert refusal(Headers({"host": host, "origin": f"http://{host}"}), "POST") is None
