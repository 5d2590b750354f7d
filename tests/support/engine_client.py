"""A client of the engine that the tests use: the one that the package itself would find."""

from __future__ import annotations

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION

from dockercise_prefect.runtime.docker.connection import connect


def engine_client() -> docker.DockerClient:
    """The caller closes it.

    Raises:
        EngineError: no engine answers.
    """
    # An explicit version keeps it from asking the default address before the right one is set.
    client = docker.DockerClient(version=DEFAULT_DOCKER_API_VERSION)
    client.api.close()
    client.api = connect()[0]
    return client
