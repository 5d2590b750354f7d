"""A client of the engine that the tests use. The package itself would find the same engine."""

from __future__ import annotations

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION

from dockercise_prefect.runtime.docker.connection import connect


def engine_client() -> docker.DockerClient:
    """Return a client. The caller must close it.

    Raises:
        EngineError: no engine answers.
    """
    # Without an explicit version, the client asks the default address before the right one is set.
    client = docker.DockerClient(version=DEFAULT_DOCKER_API_VERSION)
    client.api.close()
    client.api = connect()[0]
    return client
