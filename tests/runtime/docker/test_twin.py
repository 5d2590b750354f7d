"""A container like another one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import ContainerMount
from tests.engines.driving import container, spec_of
from tests.engines.scripted import BUSYBOX

pytestmark = pytest.mark.docker


def test_a_twin(docker_engine: DockerEngine, labels: Mapping[str, str]) -> None:
    """A twin has what the other container has, but its variables."""
    image = docker_engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    volume = f"dockercise-{labels['dockercise.run']}"
    docker_engine.create_volume(volume, labels)
    mounts = (
        ContainerMount("volume", volume, "/data", read_only=False),
        ContainerMount("host", "/usr/share", "/share", read_only=True),
    )
    spec = spec_of(image, labels, "/bin/sh", "-c", env={"TOKEN": "secret"}, mounts=mounts, user="65534", network="none")
    with container(docker_engine, spec) as other:
        twin = docker_engine.create_twin(
            other, f"{spec.name}-twin", ['read line; echo "$line ${TOKEN-none} $(id -u)"; cat'], labels
        )
        try:
            found = _inspected(twin)
            talk = docker_engine.converse(twin)
            answer = talk.ask("x")
            talk.close()
        finally:
            docker_engine.remove(twin)
    docker_engine.remove_volume(volume)

    assert answer == "x none 65534"
    assert {(mount["Destination"], mount["RW"]) for mount in found["Mounts"]} == {("/data", True), ("/share", False)}
    assert found["HostConfig"]["NetworkMode"] == "none"
    assert "secret" not in str(found)


def _inspected(container_id: str) -> Mapping[str, Any]:
    client, _ = connect()
    with closing(client):
        found: Mapping[str, Any] = client.inspect_container(container_id)
    return found
