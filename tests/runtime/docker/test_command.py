"""Whether the `docker` command can build with BuildKit, and how it gets the engine and the credentials."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dockercise_prefect.runtime.docker.command import (
    BuildCommand,
    NoBuildKit,
    command_environment,
    find_build_command,
    with_credentials,
)
from dockercise_prefect.runtime.docker.connection import Address

SOCKET = Address("unix:///engine.sock", "the default socket")

Fake = Callable[[str], dict[str, str]]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Variables with which `docker` is a script."""

    def make(script: str) -> dict[str, str]:
        command = tmp_path / "docker"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        return {"PATH": f"{tmp_path}:/bin:/usr/bin"}

    return make


def test_the_plugin_builds(fake: Fake) -> None:
    """A command with buildx builds with it, on the engine that we found and not on another builder of the user."""
    command = find_build_command(SOCKET, fake("[ $1 = buildx ]"))

    assert isinstance(command, BuildCommand)
    assert command.words[:5] == ("docker", "buildx", "build", "--builder", "default")


def test_an_older_command_builds_by_itself(fake: Fake) -> None:
    """Before 23 the command needs no plugin."""
    command = find_build_command(SOCKET, fake('[ $1 = --version ] && echo "Docker version 20.10.24+dfsg1, build 297e128"'))

    assert isinstance(command, BuildCommand)
    assert (command.words, command.environment["DOCKER_BUILDKIT"]) == (("docker", "build"), "1")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('[ $1 = --version ] && echo "Docker version 28.2.2, build e6534b4"', "no buildx plugin"),
        ("exit 1", "no `docker` command"),
    ],
)
def test_a_command_that_cannot(fake: Fake, script: str, says: str) -> None:
    """The reason why the command cannot build is given."""
    assert says in str(find_build_command(SOCKET, fake(script)))


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    """A machine does not need a `docker` command."""
    assert find_build_command(SOCKET, {"PATH": str(tmp_path)}) == NoBuildKit("there is no `docker` command")


def test_the_user_asks_for_the_other_builder(fake: Fake) -> None:
    """`DOCKER_BUILDKIT=0` has the same meaning as for the command."""
    found = find_build_command(SOCKET, {**fake("exit 0"), "DOCKER_BUILDKIT": "0"})

    assert found == NoBuildKit("DOCKER_BUILDKIT=0 selects the engine's own builder", "unset DOCKER_BUILDKIT")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (SOCKET, {"DOCKER_HOST": "unix:///engine.sock"}),
        (Address("ssh://me@there", "Docker context far", context="far"), {"DOCKER_CONTEXT": "far"}),
        (
            Address("tcp://there:2376", "DOCKER_HOST"),
            {"DOCKER_HOST": "tcp://there:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certificates"},
        ),
    ],
    ids=["a socket", "a context", "DOCKER_HOST"],
)
def test_it_speaks_to_the_engine_that_we_found(address: Address, expected: dict[str, str]) -> None:
    """All other settings that name an engine or a builder are removed."""
    environ = {
        "HOME": "/home/me",
        "DOCKER_HOST": "tcp://other",
        "DOCKER_CONTEXT": "other",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certificates",
        "BUILDX_BUILDER": "other",
    }

    assert command_environment(address, environ) == {**expected, "HOME": "/home/me", "DOCKER_CLI_HINTS": "false"}


def test_credentials_travel_in_a_private_copy_of_the_configuration(tmp_path: Path) -> None:
    """The copy has the user's plugins and settings but no credential helper, and is deleted afterwards."""
    (tmp_path / "cli-plugins").mkdir()
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "desktop", "currentContext": "far", "auths": {"old": {}}}))
    given = {"one": {"username": "me", "password": "sesame"}, "two": {"IdentityToken": "t"}}

    with with_credentials(given, {"DOCKER_CONFIG": str(tmp_path)}) as environment:
        folder = Path(environment["DOCKER_CONFIG"])
        config = json.loads((folder / "config.json").read_text())
        modes = ((folder.stat().st_mode & 0o777), (folder / "config.json").stat().st_mode & 0o777)
        plugins = (folder / "cli-plugins").resolve()

    assert config == {
        "currentContext": "far",
        "auths": {"one": {"auth": base64.b64encode(b"me:sesame").decode()}, "two": {"identitytoken": "t"}},
    }
    assert modes == (0o700, 0o600)
    assert plugins == tmp_path / "cli-plugins"
    assert not folder.exists()
