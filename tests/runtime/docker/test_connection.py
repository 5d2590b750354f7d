"""How the user's engine is found, and what the error says if it is not found."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker import connection as docker_connection
from dockercise_prefect.runtime.docker.connection import DEFAULT_SOCKET, UnsupportedEngineError, find_addresses
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.docker.ssh import ssh_command
from tests.engines.driving import run, spec_of
from tests.engines.podman import podman
from tests.engines.scripted import BUSYBOX

_SSH = """#!{python}
import os, socket, sys, threading

engine = socket.socket(socket.AF_UNIX)
engine.connect({socket!r})


def answers():
    while data := engine.recv(65536):
        os.write(1, data)
    os._exit(0)


threading.Thread(target=answers, daemon=True).start()
while data := os.read(0, 65536):
    engine.sendall(data)
engine.shutdown(socket.SHUT_WR)
print("debug1: noise", file=sys.stderr)
"""


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's Docker configuration, empty."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return folder


def _add_context(configuration: Path, name: str, host: str) -> None:
    meta = configuration / "contexts" / "meta" / sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    document = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(document))


def test_docker_host_wins(configuration: Path) -> None:
    """`DOCKER_HOST` takes precedence over every context, and nothing else is tried."""
    _add_context(configuration, "other", "tcp://127.0.0.1:3")

    addresses = find_addresses({"DOCKER_HOST": "tcp://127.0.0.1:2", "DOCKER_CONTEXT": "other"})

    assert [(address.url, address.origin, address.tls) for address in addresses] == [("tcp://127.0.0.1:2", "DOCKER_HOST", None)]


def test_a_context_of_the_environment(configuration: Path) -> None:
    """`DOCKER_CONTEXT` names a context of the user's configuration."""
    _add_context(configuration, "other", "ssh://me@there")

    addresses = find_addresses({"DOCKER_CONTEXT": "other"})

    assert [address.url for address in addresses] == ["ssh://me@there"]


def test_the_current_context(configuration: Path) -> None:
    """Without either, the current context of the Docker command line is used."""
    _add_context(configuration, "work", "unix:///somewhere.sock")
    (configuration / "config.json").write_text('{"currentContext": "work"}')

    addresses = find_addresses({})

    assert [(address.url, address.origin) for address in addresses] == [("unix:///somewhere.sock", "Docker context work")]


@pytest.mark.parametrize("environ", [{}, {"DOCKER_CONTEXT": "default"}, {"DOCKER_HOST": ""}])
def test_the_usual_sockets(configuration: Path, tmp_path: Path, environ: Mapping[str, str]) -> None:
    """Without any setting, the default socket is used, and that of a rootless engine if there is one."""
    rootless = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(rootless))

        addresses = find_addresses({**environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/nowhere"})

    assert [address.url for address in addresses] == [DEFAULT_SOCKET, f"unix://{rootless}"]


def test_an_unknown_context(configuration: Path) -> None:
    """A context that does not exist is an error that names it; the default engine is not used instead."""
    with pytest.raises(EngineError, match="the Docker context elsewhere does not exist"):
        find_addresses({"DOCKER_CONTEXT": "elsewhere"})


def test_a_broken_context(configuration: Path) -> None:
    """A context that cannot be read is an error that names it."""
    _add_context(configuration, "other", "tcp://127.0.0.1:3")
    next(configuration.rglob("meta.json")).write_text("{")

    with pytest.raises(EngineError, match="other"):
        find_addresses({"DOCKER_CONTEXT": "other"})


def test_certificates_that_are_not_there(configuration: Path, tmp_path: Path) -> None:
    """A folder without certificates is an error, and no connection is made without them."""
    environ = {"DOCKER_HOST": "tcp://127.0.0.1:2", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}

    with pytest.raises(EngineError, match="DOCKER_CERT_PATH"):
        find_addresses(environ)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("unix:///no/such.sock", "install and start Docker"),
        ("tcp://127.0.0.1:1", "install and start Docker"),
        ("tcp://127.0.0.1:port", "an address is unix://PATH"),
        ("carrier://pigeon", "an address is unix://PATH"),
        ("ssh://host/path", "an address is unix://PATH"),
    ],
)
def test_no_engine(configuration: Path, monkeypatch: pytest.MonkeyPatch, host: str, says: str) -> None:
    """If nothing answers, the error names the address, the source of the address and the next step."""
    monkeypatch.setenv("DOCKER_HOST", host)

    with pytest.raises(EngineError) as caught:
        docker_connection.connect()

    assert f"{host} (DOCKER_HOST)" in caught.value.message
    assert says in str(caught.value.hint)


def test_podman_is_refused(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that would lose a stage's inputs gets another error than one that does not answer."""
    with podman([]) as host:
        monkeypatch.setenv("DOCKER_HOST", host)

        with pytest.raises(UnsupportedEngineError, match=r"\(DOCKER_HOST\) is Podman 5\.8\.6"):
            docker_connection.connect()


@pytest.mark.parametrize("host", ["ssh://me:sesame@there", "tcp://me:sesame@127.0.0.1:1"])
def test_no_password_is_shown(configuration: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """No message shows a password that is part of the address."""
    monkeypatch.setenv("DOCKER_HOST", host)

    with pytest.raises(EngineError) as caught:
        docker_connection.connect()

    assert "sesame" not in str(caught.value)


def test_permission_denied() -> None:
    """The error for a socket that the user may not use names the group that may use it."""
    address = docker_connection.Address("unix:///s", "the default socket")

    error = docker_connection._no_engine([(address, PermissionError(13, "Permission denied"))])

    assert "Permission denied" in error.message
    assert "group `docker`" in str(error.hint)


def test_the_command_of_ssh() -> None:
    """The Docker command line on the other machine connects to its engine; a host is never read as an option."""
    command = " ".join(ssh_command("ssh://me@there:2222"))

    assert command.endswith("-l me -p 2222 -- there docker system dial-stdio")
    assert " -l " not in " ".join(ssh_command("ssh://there"))


def test_ssh_says_why(configuration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ssh cannot connect, its own message is the reason."""
    _install_ssh(tmp_path, monkeypatch, f"#!{sys.executable}\nimport sys\nsys.exit('Permission denied (publickey).')\n")
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")

    with pytest.raises(EngineError, match="publickey"):
        docker_connection.connect()


@pytest.mark.docker
def test_an_engine_behind_ssh(
    docker_engine: DockerEngine, labels: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Input, output and exit code arrive over ssh as they do on a local socket."""
    local = docker_engine.info().url.removeprefix("unix://")
    _install_ssh(tmp_path, monkeypatch, _SSH.format(python=sys.executable, socket=local))
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")
    engine = DockerEngine.connect()
    image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)

    state, output = run(engine, spec_of(image, labels, "cat; echo noise >&2; exit 3"), b"given" * 100_000)
    engine.close()

    assert state.exit_code == 3
    assert (output.stdout, output.stderr) == (b"given" * 100_000, b"noise\n")


def _install_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
