"""Finds the user's engine and connects to it: `DOCKER_HOST`, else the Docker context, else the usual sockets."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from docker import APIClient
from docker.constants import MINIMUM_DOCKER_API_VERSION
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env
from requests.adapters import HTTPAdapter

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.errors import describe, engine_errors, root_cause
from dockercise_prefect.runtime.docker.ssh import SshAdapter, ssh_command
from dockercise_prefect.runtime.docker.unix_socket import UnixAdapter

DEFAULT_SOCKET: Final = "unix:///var/run/docker.sock"

_CONNECT_TIMEOUT: Final = 30
"""Seconds that an engine may take to answer when we connect."""

_ANSWER_TIMEOUT: Final = 180
"""Seconds that an engine may take for one call. It starts about five containers a second, and hundreds may be waiting."""

_POOL_SIZE: Final = 512
"""How many connections are kept for reuse. More are made if needed, but not kept."""

_KEEP_ALIVE = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)  # not every system has all of them
    ),
]
"""Keepalive options: we notice within minutes that a machine is gone, and gateways keep a silent stage's connection open."""


_PODMAN: Final = "Podman Engine"


class UnsupportedEngineError(EngineError):
    """An engine answers, but it cannot run stages."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine may be.

    Attributes:
        origin: where the address comes from, as text for messages.
        tls: the certificates, if the connection is encrypted.
        context: the Docker context that has the address; None if it is not from a context.
    """

    url: str
    origin: str
    tls: TLSConfig | None = None
    context: str | None = None

    @property
    def shown(self) -> str:
        """The address without a password, for messages."""
        return _without_password(self.url)


def connect() -> tuple[APIClient, Address]:
    """A client of the first engine that answers, and where that is.

    Raises:
        UnsupportedEngineError: only engines that cannot run stages answer.
        EngineError: no engine answers. The message has every address that was tried.
    """
    failures: list[tuple[Address, BaseException]] = []
    for address in find_addresses(os.environ):
        try:
            return open_client(address), address
        except EngineError as error:
            failures.append((address, root_cause(error)))
    raise next((error for _, error in failures if isinstance(error, UnsupportedEngineError)), None) or _no_engine(failures)


def find_addresses(environ: Mapping[str, str]) -> list[Address]:
    """The addresses to try, in order: only the user's own if the user set one, else the usual sockets.

    As with the Docker command line, `DOCKER_HOST` takes precedence over `DOCKER_CONTEXT`, and `DOCKER_CONTEXT` over the current
    context of the configuration.

    Raises:
        EngineError: the Docker context does not exist or cannot be read, or the certificates do not exist.
    """
    if environ.get("DOCKER_HOST"):
        with engine_errors("cannot use the certificates that DOCKER_CERT_PATH names"):
            found = kwargs_from_env(dict(environ))
        return [Address(environ["DOCKER_HOST"], "DOCKER_HOST", found.get("tls") or None)]
    name = environ.get("DOCKER_CONTEXT")
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # the SDK raises bare exceptions for a file that it cannot read
        raise EngineError(f"cannot read the Docker context {name or 'in use'}: {error}", "see `docker context ls`") from error
    if context is None:
        raise EngineError(
            f"the Docker context {name or 'in use'} does not exist", "see `docker context ls`, or set DOCKER_HOST"
        )
    if context.name == "default" or not context.Host:
        return _usual_sockets(environ)
    return [Address(context.Host, f"Docker context {context.name}", context.TLSConfig, context.name)]


def open_client(address: Address) -> APIClient:
    """A client of the engine at an address, for all threads.

    Raises:
        UnsupportedEngineError: the engine cannot run stages.
        EngineError: the engine does not answer.
    """
    with engine_errors(f"cannot reach the engine at {address.shown} ({address.origin})"):
        with closing(_client(address, MINIMUM_DOCKER_API_VERSION)) as probe:
            version = probe.version(api_version=False)
        refuse_podman(version, address)
        client = _client(address, version["ApiVersion"])
    client.timeout = _ANSWER_TIMEOUT
    return client


def refuse_podman(version: Mapping[str, Any], address: Address) -> None:
    """Refuse Podman, which has Docker's API: stages would run there without their inputs, and could still pass.

    Args:
        version: the engine's answer about its version.
        address: of the engine.

    Raises:
        UnsupportedEngineError: the engine is Podman.
    """
    parts = {part.get("Name"): part.get("Version") for part in version.get("Components") or ()}
    if _PODMAN in parts:
        raise UnsupportedEngineError(
            f"the engine at {address.shown} ({address.origin}) is Podman {parts[_PODMAN]}, which cannot run pipelines: files "
            "that are put into a volume before its container starts are missing in the container",
            "use Docker 20.10 or later: name one with DOCKER_HOST or a Docker context",
        )


def _usual_sockets(environ: Mapping[str, str]) -> list[Address]:
    home = environ.get("HOME") or str(Path.home())
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    others = [f"{runtime}/docker.sock", f"{home}/.docker/run/docker.sock", f"{home}/.docker/desktop/docker.sock"]
    present = [Address(f"unix://{path}", "a rootless engine's socket") for path in others if _is_there(path)]
    return [Address(DEFAULT_SOCKET, "the default socket"), *present]


def _is_there(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:
        return False


def _client(address: Address, version: str) -> APIClient:
    """A client that has not yet sent a request."""
    over_ssh = address.url.startswith("ssh://")
    client = APIClient(
        base_url="tcp://ssh:2375" if over_ssh else address.url,
        version=version,
        timeout=_CONNECT_TIMEOUT,
        tls=address.tls or False,
        max_pool_size=_POOL_SIZE,
    )
    # The address and the certificates are those that the user set for the engine. REQUESTS_CA_BUNDLE would replace the
    # certificates, and a proxy from the environment cannot carry hijacked streams.
    client.trust_env = False
    if over_ssh:
        client.mount("http://", SshAdapter(ssh_command(address.url)))
    elif address.url.startswith("unix://"):
        client.mount(client.base_url, UnixAdapter(address.url.removeprefix("unix://"), _POOL_SIZE))
    else:
        client.mount("http://", _KeepAliveAdapter(pool_maxsize=_POOL_SIZE))
        client.mount("https://", _KeepAliveAdapter(pool_maxsize=_POOL_SIZE))
    return client


class _KeepAliveAdapter(HTTPAdapter):
    """Makes plain or encrypted TCP connections, which notice that the other side is gone."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connection pools, with our socket options."""
        super().init_poolmanager(*args, **kwargs, socket_options=_KEEP_ALIVE)


def _no_engine(failures: list[tuple[Address, BaseException]]) -> EngineError:
    tried = "; ".join(f"{address.shown} ({address.origin}): {describe(error)}" for address, error in failures)
    return EngineError(_without_password(f"no Docker engine answers at {tried}"), _hint([error for _, error in failures]))


def _without_password(text: str) -> str:
    return re.sub(r"(?<=//)([^:@/\s]*):[^@/\s]*@", r"\1:***@", text)


def _hint(errors: list[BaseException]) -> str:
    if any(isinstance(error, PermissionError) for error in errors):
        return "you do not have permission to use the socket: add yourself to the group `docker` and log in again, or use sudo"
    if any(isinstance(error, ssl.SSLError) for error in errors):
        return "check ca.pem, cert.pem and key.pem in the folder that DOCKER_CERT_PATH or the Docker context names"
    if any(isinstance(error, DockerException | ValueError | EngineError) for error in errors):
        return "see DOCKER_HOST and `docker context ls`: an address is unix://PATH, tcp://HOST:PORT or ssh://USER@HOST"
    return "install and start Docker, or set DOCKER_HOST or a Docker context"
