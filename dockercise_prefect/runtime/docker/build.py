"""A build on a Docker engine with the engine's own builder: sends the context, follows the log, and can stop the build."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, Final

import requests
from docker import APIClient
from docker.auth import encode_header
from docker.errors import APIError, create_api_error_from_http_exception

from dockercise_prefect.archives.tarball import BLOCK, File, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.arguments import build_parameters
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.docker.marks import marked
from dockercise_prefect.runtime.docker.pull import PullProgress
from dockercise_prefect.runtime.docker.upload import Upload
from dockercise_prefect.runtime.dockerfile.labelled import labelled
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec
from dockercise_prefect.runtime.output_sink import OutputSink

STOP_SECONDS: Final = 15.0
"""Seconds that the engine may take to end a build that was stopped. After that, we close the connection."""

_IGNORE_FILE: Final = ".dockerignore"

_BAD_REQUEST: Final = 400
_HINT: Final = "line numbers include the LABEL that dockercise adds below every FROM"


class DockerBuild:
    """One build (`runtime.engine.ImageBuild` says what each method promises).

    Args:
        client: shared by all threads.
        spec: what is built.
        context: a tar stream.
        credentials: returns the credentials for each registry.
    """

    def __init__(
        self, client: APIClient, spec: BuildSpec, context: Iterable[bytes], credentials: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._client = client
        self._spec = spec
        self._context = context
        self._credentials = credentials
        self._mark = secrets.token_hex(16)
        self._doing = f"cannot build the image of {spec.what}"
        self._lock = threading.Lock()
        self._wire: socket.socket | None = None
        self._stopped: float | None = None

    def run(self, sink: OutputSink) -> BuildEnd:
        response = self._begin()
        try:
            self._listen_to(response)
            return self._end(follow(self._events(response), sink, self._doing))
        except EngineError:
            if self._stopped is not None:
                raise self._broken_off() from None
            raise
        finally:
            with self._lock:
                self._wire = None
            response.close()

    def stop(self) -> None:
        with self._lock:
            self._stopped = self._stopped or time.monotonic()
            self._hang_up()

    def _end(self, end: BuildEnd) -> BuildEnd:
        """The end, if the build was not stopped: a step that was killed because we stopped the build has an exit code too."""
        if end.image is None and self._stopped is not None:
            raise self._broken_off()
        return end

    def _begin(self) -> requests.Response:
        """Send the context. The engine answers when the log begins."""
        name = f".dockerfile.{self._mark}"
        upload = Upload(self._checked(chain([_front(self._spec, name, self._mark)], self._context)))
        header = encode_header(dict(self._credentials()))
        try:
            with engine_errors(self._doing):
                response = self._client.post(
                    f"{self._client.base_url}/v{self._client.api_version}/build",
                    params=build_parameters(self._spec, name, self._mark),
                    data=upload,
                    headers={"Content-Type": "application/x-tar", "X-Registry-Config": header},
                    stream=True,
                    timeout=self._client.timeout,
                )
                try:
                    response.raise_for_status()
                except requests.HTTPError as error:
                    create_api_error_from_http_exception(error)
        except EngineError as error:
            if upload.failure is not None:
                raise upload.failure from None
            cause = error.__cause__
            if isinstance(cause, APIError) and cause.status_code == _BAD_REQUEST:
                raise EngineError(error.message, _HINT) from cause
            raise
        return response

    def _checked(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._stopped is not None:
                raise self._broken_off()
            yield chunk

    def _listen_to(self, response: requests.Response) -> None:
        """From now on, `stop` can end the connection, and reading from it has no time limit."""
        connection = response.raw.connection
        with self._lock:
            self._wire = connection.sock if connection is not None else None
            if self._wire is None:
                raise EngineError(f"{self._doing}: the engine answered without a log")
            self._wire.settimeout(None)
            if self._stopped is not None:
                self._hang_up()

    def _hang_up(self) -> None:
        """Close our sending half of the connection, and keep reading: the engine then ends the build, and reports it.

        If the engine does not, or the connection cannot be half-closed, the whole connection is closed.
        """
        if self._wire is None or self._stopped is None:
            return
        patient = time.monotonic() - self._stopped < STOP_SECONDS
        with suppress(OSError):
            self._wire.shutdown(socket.SHUT_WR if patient else socket.SHUT_RDWR)

    def _events(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        with engine_errors(f"{self._doing}: the log ended unexpectedly"):
            yield from decoded(response.raw.read_chunked(decode_content=False))

    def _broken_off(self) -> EngineError:
        return EngineError(f"{self._doing}: it was interrupted")


def decoded(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The engine's events: one JSON object per line. A line may come in several chunks.

    Raises:
        ValueError: a line is not JSON.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
    if rest.strip():
        yield json.loads(rest)


def follow(events: Iterable[Mapping[str, Any]], sink: OutputSink, doing: str) -> BuildEnd:
    """Pass on a build's log and say how the build ended.

    Args:
        events: of the engine.
        sink: gets the log, also the engine's last message about a step that failed.
        doing: begins the message of an error.

    Raises:
        EngineError: the build failed for a reason other than a step's exit code, or ended without an image.
    """
    image: str | None = None
    pulling = PullProgress("an image of the Dockerfile")
    for event in events:
        if "error" in event:
            code = (event.get("errorDetail") or {}).get("code")
            if not code:
                raise EngineError(f"{doing}: {event['error']}")
            sink("stderr", f"{event['error']}\n".encode())
            return BuildEnd(None, code)
        if "stream" in event:
            sink("stderr", event["stream"].encode("utf-8", "surrogateescape"))
        elif "aux" in event:
            image = event["aux"].get("ID", image)
        elif line := pulling.line(event):
            sink("stderr", f"{line}\n".encode())
    if image is None:
        raise EngineError(f"{doing}: the engine ended the build without an image")
    return BuildEnd(image)


def _front(spec: BuildSpec, name: str, mark: str) -> bytes:
    """What is sent before the context: the Dockerfile with our labels, and a `.dockerignore` that excludes it.

    The engine reads both files first, and then applies `.dockerignore` to both. So a `COPY` never sees our Dockerfile. It does
    not see our `.dockerignore` either, if the context had none.
    """
    ignore = _IGNORE_FILE.encode() if spec.ignore is None else spec.ignore
    files = [
        _file(name, labelled(spec.dockerfile, marked(spec.labels, mark))),
        _file(_IGNORE_FILE, ignore + f"\n{name}\n".encode()),
    ]
    return b"".join(tar_stream(files))[: -2 * BLOCK]  # no end-of-archive blocks: the context follows


def _file(path: str, text: bytes) -> File:
    return File(path=path, size=len(text), content=lambda: [text], mtime=time.time())
