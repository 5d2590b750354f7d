"""The image of `deployments/docker/Dockerfile`: its content, and its user."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from scripts.console import NeedsRootError
from tests.e2e.deployments.conftest import command
from tests.support.deploy_images import ROOT

pytestmark = pytest.mark.docker

VERSION = version("dockercise-prefect")
SOCKET = Path("/var/run/docker.sock")
GROUP = 4242
WHO = 'id --user --name; id --groups; test -w "${DOCKER_HOST#unix://}" && echo may'
DISTRIBUTIONS = "import importlib.metadata as m; print(*(d.name + '==' + d.version for d in m.distributions()))"
OWNER = (
    "from dockercise_prefect.runtime.docker.engine import DockerEngine; "
    "from dockercise_prefect.runtime.cleanup.ownership import this_process; "
    "print(this_process(DockerEngine.connect()).host)"
)


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[Path]:
    """A socket in the place of an engine's, with write access for its group."""
    if os.geteuid() != 0:
        raise NeedsRootError("a socket of another group")
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        os.chown(path, 0, GROUP)
        path.chmod(0o660)
        yield path


def in_container(image: str, *options: str, of: tuple[str, ...]) -> str:
    """The output of a command in a container, which is removed afterwards."""
    return command("docker", "run", "--rm", *options, image, *of)


def at(path: Path) -> tuple[str, str]:
    """The options that give a container a socket as the socket of an engine."""
    return f"--volume={path}:{path}", f"--env=DOCKER_HOST=unix://{path}"


def test_it_holds_the_package_and_what_it_needs(our_image: str) -> None:
    """The command, Prefect, git and ssh exist, for a user who is not root and can write to the data folder."""
    script = 'dockercise --version; prefect --version; git --version; ssh -V 2>&1; id -un; touch "$DOCKERCISE_DATA/x" "$HOME/y"'

    said = in_container(our_image, "--network=none", of=("sh", "-ec", script))

    assert re.fullmatch(rf"dockercise {VERSION}\n\d.*\ngit version .*\nOpenSSH.*\ndockercise\n", said)


def test_it_holds_what_is_locked_and_nothing_that_builds(our_image: str) -> None:
    """Every distribution has the version of the lock; neither pip nor the build tools are left."""
    locked = _names(re.findall(r"^([^\s#;]+==[^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    held = _names(in_container(our_image, "--network=none", of=("python", "-c", DISTRIBUTIONS)).split())

    assert held - locked == _names([f"dockercise-prefect=={VERSION}"])
    assert [name for name in held if re.match("(pip|setuptools|hatchling|editables)==", name)] == []
    assert len(held) > len(locked) / 2


def _names(pins: list[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", pin.lower()) for pin in pins}


def test_started_as_root_it_becomes_a_user_who_may_use_the_socket(our_image: str, engine_socket: Path) -> None:
    """The user gets the socket's group, with any number: from the entrypoint, or from a caller that starts as non-root."""
    by_itself = in_container(our_image, "--user=0", *at(engine_socket), of=("sh", "-c", WHO))
    by_hand = in_container(our_image, f"--group-add={GROUP}", *at(engine_socket), of=("sh", "-c", WHO))

    assert by_itself.split() == ["dockercise", "10001", str(GROUP), "may"]
    assert by_hand == by_itself


def test_started_as_root_without_a_socket_it_is_no_root_either(our_image: str) -> None:
    """Without an engine, nothing needs root."""
    said = in_container(our_image, "--user=0", "--network=none", of=("id", "-u"))

    assert said == "10001\n"


def test_it_stays_root_where_only_root_may_use_the_socket(our_image: str, engine_socket: Path) -> None:
    """If the group of a socket cannot write to it, nobody except root can use it."""
    engine_socket.chmod(0o600)

    said = in_container(our_image, "--user=0", *at(engine_socket), of=("sh", "-c", WHO))

    assert said.split() == ["root", "0", "may"]


@pytest.mark.parametrize("network", ["bridge", "host", "none"])
def test_a_process_knows_the_container_that_it_is_in(our_image: str, network: str) -> None:
    """With any network, everything that a process makes on the engine is labelled with the start of its container."""
    options = (f"--network={network}", "--user=0", f"--volume={SOCKET}:{SOCKET}")

    said = in_container(our_image, *options, of=("python", "-c", OWNER))

    assert re.fullmatch(r"container:[0-9a-f]{64}@\d{4}-.*Z\n", said)
