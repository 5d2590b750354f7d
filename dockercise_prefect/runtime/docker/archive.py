"""The files of a container as a tar stream that its reader can close.

The SDK's own stream cannot be closed. It stays open as long as anything refers to it, for example an exception's traceback.
Until then, the engine does not remove the container.
"""

from __future__ import annotations

from typing import Final

import requests
from docker import APIClient
from docker.errors import NotFound, create_api_error_from_http_exception

from dockercise_prefect.runtime.docker.errors import engine_errors, explanation
from dockercise_prefect.runtime.engine import NoSuchPathError

_CHUNK: Final = 2 * 1024 * 1024


class DockerArchive:
    """A tar stream (`runtime.engine.FileStream`).

    Args:
        client: shared by all threads.
        container: the container that has the files.
        path: of the files in the container.
        doing: begins the message of an error.

    Raises:
        DockerException, requests.RequestException: the engine refuses, or does not answer.
    """

    def __init__(self, client: APIClient, container: str, path: str, doing: str) -> None:
        self._doing = doing
        self._response = client.get(
            f"{client.base_url}/v{client.api_version}/containers/{container}/archive",
            params={"path": path},
            headers={"Accept-Encoding": "identity"},
            stream=True,
            timeout=client.timeout,
        )
        try:
            self._response.raise_for_status()
        except requests.HTTPError as error:
            create_api_error_from_http_exception(error)
        connection = self._response.raw.connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(None)  # wait for data without a time limit
        self._chunks = self._response.iter_content(_CHUNK, decode_unicode=False)

    def __iter__(self) -> DockerArchive:
        return self

    def __next__(self) -> bytes:
        with engine_errors(self._doing):
            chunk: bytes | None = next(self._chunks, None)
        if chunk is None:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Read no more."""
        self._response.close()


def open_archive(client: APIClient, container: str, path: str, doing: str) -> DockerArchive:
    """A tar stream of the files at a path in a container.

    Raises:
        EngineError: the engine refuses, or does not answer.
        NoSuchPathError: the path does not exist.
    """
    with engine_errors(doing):
        try:
            return DockerArchive(client, container, path, doing)
        except NotFound as error:
            raise NoSuchPathError(f"{doing}: {explanation(error)}") from error
