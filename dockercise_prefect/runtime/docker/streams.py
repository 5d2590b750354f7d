"""A container's standard streams, carried over connections that the engine hands over ("hijacked" in its documentation).

Output and input have separate connections. So on every transport, closing the input's connection ends the input. A single
connection would have to be half-closed, which TLS does not allow.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import requests
from docker import APIClient
from docker.errors import create_api_error_from_http_exception

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.output_sink import Channel, OutputSink

SILENCE: Final = 10.0
"""Seconds without output after which the engine is asked whether the container still runs."""

_HEADER = struct.Struct(">BxxxL")
_CHANNELS: dict[int, Channel] = {0: "stdout", 1: "stdout", 2: "stderr", 3: "stderr"}  # 3: errors of the engine itself
_CHUNK = 65536


class Wire:
    """One hijacked connection."""

    def __init__(self, response: requests.Response) -> None:
        connection = response.raw.connection
        if connection is None or connection.sock is None:
            response.close()
            raise EngineError("the engine answered, but did not give access to the stream", "does a proxy block HTTP upgrades?")
        self._response = response
        self._socket: socket.socket = connection.sock
        self._early = _already_read(response, self._socket)

    def read(self, patience: float) -> bytes | None:
        """The next bytes; empty at the end, and None if nothing came for `patience` seconds.

        Raises:
            EngineError: the connection broke.
        """
        with engine_errors("cannot read the container's output"):
            if self._early:
                early, self._early = self._early, b""
                return early
            self._socket.settimeout(patience)
            try:
                return self._socket.recv(_CHUNK)
            except TimeoutError:
                return None

    def send(self, data: bytes, patience: float | None) -> None:
        """Send all of the data. If the container does not read, wait at most `patience` seconds.

        Raises:
            EngineError: the container did not read in time, or the connection broke.
        """
        with engine_errors("cannot send input to the container"):
            self._socket.settimeout(patience)
            self._socket.sendall(data)

    def shut(self) -> None:
        """End both directions. This wakes threads that wait in `read` or `send`."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End both directions and close the connection."""
        self.shut()
        self._response.close()


def _already_read(response: requests.Response, connection: socket.socket) -> bytes:
    """The bytes that came together with the headers of the answer, and were read with them."""
    reader = getattr(getattr(response.raw, "_fp", None), "fp", None)
    if reader is None:
        return b""
    connection.settimeout(0)  # `peek` reads from the connection if it has nothing
    try:
        return bytes(reader.peek())
    except OSError:  # there is nothing yet, and the connection is encrypted
        return b""


_DETACH: Final = b",".join([b"\xff"] * 4)
"""The keys that end the connection to a terminal's input: bytes that are in no UTF-8 text.

By default they are Ctrl-P Ctrl-Q, and the engine also holds back each Ctrl-P until the next key comes.
"""


def attach(client: APIClient, container: str, *channels: str) -> Wire:
    """A connection to some of `stdin`, `stdout` and `stderr` of a container that has not been started.

    If the container has a terminal, all keys reach it.

    Raises:
        requests.RequestException: the engine refused or did not answer.
    """
    parameters: dict[str, str | bytes] = {"stream": "1", "detachKeys": _DETACH, **dict.fromkeys(channels, "1")}
    return hijacked(client, f"/containers/{quote(container)}/attach", params=parameters)


def hijacked(client: APIClient, path: str, **request: Any) -> Wire:
    """A connection that the engine hands over in answer to a request.

    Args:
        client: of the engine.
        path: of the request.
        request: further arguments of the request.

    Raises:
        requests.RequestException: the engine refused or did not answer.
    """
    response = client.post(
        f"{client.base_url}/v{client.api_version}{path}",
        **request,
        headers={"Connection": "Upgrade", "Upgrade": "tcp"},
        stream=True,
        timeout=client.timeout,
    )
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)
    return Wire(response)


class Feed:
    """Sends a container its input from a thread, so that a container that does not read cannot block its own output."""

    def __init__(self, wire: Wire, data: bytes) -> None:
        self._wire = wire
        self._data = data
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Begin to send the data, and then the end of input."""
        self._thread = threading.Thread(target=self._send, name="container-stdin", daemon=True)
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.shut()
        if self._thread:
            self._thread.join()
        self._wire.close()

    def _send(self) -> None:
        # A container may end without reading. A lost engine is noticed where the output is read, and lost variables are
        # reported by `boot`.
        with suppress(EngineError):
            self._wire.send(self._data, None)
        self._wire.shut()


class FrameSplitter:
    """Splits the engine's multiplexed output into frames: a header of eight bytes, and a payload. They may be cut anywhere."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._channel: Channel = "stdout"

    @property
    def between_frames(self) -> bool:
        """Whether the last frame is complete."""
        return not self._header and not self._left

    def feed(self, data: bytes) -> Iterator[tuple[Channel, bytes]]:
        """The payloads in `data`. A payload that is not complete yet is given as far as it has come.

        Raises:
            EngineError: the data are not frames.
        """
        at = 0
        while at < len(data):
            if not self._left:
                part = data[at : at + _HEADER.size - len(self._header)]
                at += len(part)
                self._header += part
                if len(self._header) < _HEADER.size:
                    return
                number, self._left = _HEADER.unpack(self._header)
                self._header = b""
                if number not in _CHANNELS:
                    raise EngineError("the engine sent output that is not in frames")
                self._channel = _CHANNELS[number]
            if chunk := data[at : at + self._left]:
                at += len(chunk)
                self._left -= len(chunk)
                yield self._channel, chunk


class NoFrames:
    """Takes the output of a terminal, which is not in frames."""

    between_frames = True

    def feed(self, data: bytes) -> Iterator[tuple[Channel, bytes]]:
        """All of the data."""
        yield "stdout", data


def pump(
    read: Callable[[float], bytes | None],
    sink: OutputSink,
    is_running: Callable[[], bool],
    silence: float = SILENCE,
    splitter: FrameSplitter | NoFrames | None = None,
) -> None:
    """Pass on all output, until the stream ends.

    An engine may leave the stream open after the container has ended. So after each period of silence, the engine is asked
    whether the container still runs. If it has ended, and another period of silence follows, there is no more output.

    Args:
        read: gives the next bytes, as `Wire.read` does.
        is_running: asks the engine. It also notices that the engine is gone if the connection does not notice it.
        silence: seconds of one period of silence.
        splitter: takes the output apart; None for output in frames.

    Raises:
        EngineError: the stream was interrupted, or the engine does not answer.
    """
    splitter = splitter or FrameSplitter()
    ended = False
    while (data := read(silence)) != b"":
        if data is not None:
            for channel, chunk in splitter.feed(data):
                sink(channel, chunk)
        elif ended:
            return
        else:
            ended = not is_running()
    if not splitter.between_frames:
        raise EngineError("the container's output ended in the middle of a frame", "is the engine still running?")
