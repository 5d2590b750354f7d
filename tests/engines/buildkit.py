"""The real engine for tests of BuildKit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest

from dockercise_prefect.runtime.docker.command import BuildCommand, find_build_command
from dockercise_prefect.runtime.docker.connection import Address
from dockercise_prefect.runtime.docker.engine import DockerEngine


@pytest.fixture
def buildkit(monkeypatch: pytest.MonkeyPatch, docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    """The real engine, with a `docker` command that can build with BuildKit: the first such one on the path."""
    monkeypatch.delenv("DOCKER_BUILDKIT")
    address = Address(docker_engine.info().url, "a test")
    for folder in os.environ["PATH"].split(os.pathsep):
        if not shutil.which("docker", path=folder):
            continue
        monkeypatch.setenv("PATH", folder, prepend=os.pathsep)
        if isinstance(find_build_command(address, os.environ), BuildCommand):
            break
    else:
        pytest.fail(
            "no `docker` command on the path can build with BuildKit: install docker-buildx, or Debian's docker.io 20.10"
        )
    with closing(DockerEngine.connect()) as engine:
        yield engine
