"""The `docker` command, which can build with BuildKit if it has the plugin for it, or is too old to need the plugin."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dockercise_prefect.runtime.docker.connection import Address

_PLUGGED: Final = 23
"""From this version on, the command builds with BuildKit only through its plugin."""

_ASKING: Final = 30
"""Seconds that the command may take to print its version."""

_CHOOSES_ENGINE: Final = frozenset(
    {"BUILDX_BUILDER", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY"}
)

_SHARED: Final = ("cli-plugins", "contexts", "tls")
"""The parts of the user's Docker configuration folder that a copy of it needs too."""


@dataclass(frozen=True, slots=True)
class BuildCommand:
    """A command that builds with BuildKit on one engine.

    Attributes:
        words: the first words of the command.
        plugged: whether the plugin builds, which has options that older commands do not have.
        environment: the environment variables of the command.
    """

    words: tuple[str, ...]
    plugged: bool
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoBuildKit:
    """Why BuildKit cannot build an image, and what the user can do."""

    reason: str
    hint: str = "install the `docker` command with its buildx plugin"


def limited(limits: str) -> NoBuildKit:
    """BuildKit does not keep limits of a step."""
    return NoBuildKit(f"a limit of {limits} needs the engine's own builder", "remove the limit from the stage")


def find_build_command(address: Address, environ: Mapping[str, str]) -> BuildCommand | NoBuildKit:
    """The command that builds with BuildKit on the engine at an address, or the reason why BuildKit cannot be used.

    Args:
        address: of the engine.
        environ: our own variables. `DOCKER_BUILDKIT=0` asks for the engine's own builder, as it does for the command.
    """
    if environ.get("DOCKER_BUILDKIT") == "0":
        return NoBuildKit("DOCKER_BUILDKIT=0 selects the engine's own builder", "unset DOCKER_BUILDKIT")
    environment = command_environment(address, environ)
    if _output(("docker", "buildx", "version"), environment) is not None:
        words = ("docker", "buildx", "build", "--builder", address.context or "default", "--provenance=false", "--load")
        return BuildCommand(words, True, environment)
    version = _output(("docker", "--version"), environment)
    if version is None:
        return NoBuildKit("there is no `docker` command")
    if _major(version) >= _PLUGGED:
        return NoBuildKit("the `docker` command has no buildx plugin")
    return BuildCommand(("docker", "build"), False, {**environment, "DOCKER_BUILDKIT": "1"})


def command_environment(address: Address, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables with which the command uses the engine at an address, whatever our own variables say."""
    if address.origin == "DOCKER_HOST":
        kept = {name: environ[name] for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH") if name in environ}
        chosen = {"DOCKER_HOST": address.url, **kept}
    elif address.context is not None:
        chosen = {"DOCKER_CONTEXT": address.context}
    else:
        chosen = {"DOCKER_HOST": address.url}
    others = {name: value for name, value in environ.items() if name not in _CHOOSES_ENGINE}
    return {**others, **chosen, "DOCKER_CLI_HINTS": "false"}


@contextmanager
def with_credentials(credentials: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Variables that make the command use these credentials, through a private copy of the user's configuration.

    Args:
        credentials: for each registry, as the SDK has them.
        environ: variables; `DOCKER_CONFIG` says where the user's configuration is.
    """
    own = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")
    with tempfile.TemporaryDirectory(prefix="dockercise-docker-") as name:
        folder = Path(name)
        for shared in _SHARED:
            if (own / shared).exists():
                (folder / shared).symlink_to((own / shared).resolve())
        text = _read(own / "config.json")
        content = {key: value for key, value in text.items() if key not in {"credsStore", "credHelpers"}}
        content["auths"] = {registry: _authentication(given) for registry, given in credentials.items()}
        file = os.open(folder / "config.json", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as config:
            json.dump(content, config)
        yield {"DOCKER_CONFIG": name}


def _read(config: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def _authentication(given: Mapping[str, Any]) -> dict[str, str]:
    """One registry's entry in the configuration. The SDK has two spellings for its keys."""
    found = {key.lower(): value for key, value in given.items()}
    if token := found.get("identitytoken"):
        return {"identitytoken": token}
    pair = f"{found.get('username') or ''}:{found.get('password') or ''}"
    return {"auth": base64.b64encode(pair.encode()).decode()}


def _output(words: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """What a command prints; None if it fails or does not exist."""
    try:
        done = subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ASKING, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _major(version: str) -> int:
    """The major version in a text like `Docker version 20.10.24+dfsg1, build 297e128`; 0 for any other text."""
    found = re.search(r"version (\d+)\.", version)
    return int(found[1]) if found else 0
