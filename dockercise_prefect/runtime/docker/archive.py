"""The files of a container: as a tar stream that its reader can close, and what the engine says of one of them.

The SDK's own stream cannot be closed. It stays open as long as anything refers to it, for example an exception's traceback.
Until then, the engine does not remove the container.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import requests
from docker import APIClient
from docker.errors import NotFound, create_api_error_from_http_exception

from dockercise_prefect.runtime.docker.errors import engine_errors, explanation
from dockercise_prefect.runtime.engine import NoSuchPathError

_CHUNK: Final = 2 * 1024 * 1024

_EXECUTABLE: Final = 0o111
_FOLDER: Final = 1 << 31
"""The bit for a folder in a file's mode. The engine reports modes in Go's form."""


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


def folder_mark(client: APIClient, container: str, path: str) -> str | None:
    """See `Engine.folder_mark`: the time of the folder's last change, if the engine's file system counts parts of a second.

    Raises:
        DockerException, requests.RequestException: the path does not exist, or the engine does not answer.
    """
    changed: str = _file_status(client, container, path)["mtime"]
    return changed if "." in changed else None


def unstartable(client: APIClient, container: str, inspected: Mapping[str, Any]) -> str | None:
    """Why an init process could not start the command; None if it could, or if the engine was to start it.

    For the engine, such a container has started, and a script could have ended with the same exit code. So we look at the
    command's file.

    Raises:
        DockerException, requests.RequestException: the engine refuses, or does not answer.
    """
    command: str = inspected["Path"]
    if not inspected["HostConfig"].get("Init") or not command.startswith("/"):
        return None
    try:
        status = _file_status(client, container, command)
    except NotFound:
        return f"{command}: no such file in the image"
    if status["linkTarget"] or (status["mode"] & _EXECUTABLE and not status["mode"] & _FOLDER):
        return None
    return f"{command}: not an executable file"


def _file_status(client: APIClient, container: str, path: str) -> Mapping[str, Any]:
    """Name, mode, time and link target of a file in a container. The engine reads nothing else."""
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    response = client.head(url, params={"path": path}, timeout=client.timeout)
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)
    status: Mapping[str, Any] = json.loads(base64.b64decode(response.headers["X-Docker-Container-Path-Stat"]))
    return status
