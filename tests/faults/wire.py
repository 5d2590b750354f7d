"""Reads HTTP/1.1 from a connection as it comes, in pieces that can be passed on unchanged."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

_SIZE = 65536
_LOOK = 0.05
"""Seconds between two looks at a connection that has sent too much."""
_BODILESS = {204, 304}
_SWITCHED = 101
_RAW_STREAMS = (b"application/vnd.docker.raw-stream", b"application/vnd.docker.multiplexed-stream")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a body.

    Attributes:
        data: its bytes.
        framing: whether it is not content, but the frame of a chunk.
    """

    data: bytes
    framing: bool = False

    @property
    def last(self) -> bool:
        """Whether it says that no more chunks come."""
        return self.framing and self.data.startswith(b"0")


@dataclass(frozen=True, slots=True)
class Head:
    """The lines before a body, with the empty line at their end."""

    data: bytes

    @property
    def first(self) -> str:
        """The first line."""
        return self.data.partition(b"\r\n")[0].decode("latin-1")

    @property
    def request(self) -> str:
        """Method and path of a request."""
        return self.first.rpartition(" ")[0]

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.first.split(" ")[1])

    @property
    def interim(self) -> bool:
        """Whether another head follows, which is the answer."""
        return 100 <= self.status < 200 and self.status != _SWITCHED

    def field(self, name: bytes) -> bytes:
        """The text of a field in lower case; empty if it is missing."""
        found = re.search(rb"\r\n" + re.escape(name) + rb":[ \t]*([^\r]*)", self.data, re.IGNORECASE)
        return found[1].strip().lower() if found else b""

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.field(b"transfer-encoding").endswith(b"chunked")

    @property
    def starts_a_stream(self) -> bool:
        """Whether the connection is not HTTP any more after this answer."""
        return self.status == _SWITCHED or (self.field(b"content-type") in _RAW_STREAMS and not self.chunked)


class BrokenOffError(Exception):
    """A connection ended in the middle of a body."""


class Reader:
    """Reads from a connection."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._waiting = b""

    def some(self) -> bytes:
        """What has come, at least one byte; nothing at the end."""
        if self._waiting:
            data, self._waiting = self._waiting, b""
            return data
        return self._source.recv(_SIZE)

    def head(self) -> Head | None:
        """The next head; None if the connection ends before it."""
        data = self._until(b"\r\n\r\n")
        return Head(data) if data else None

    def body_of_request(self, head: Head) -> Iterator[Piece]:
        """The body of a request."""
        if head.chunked:
            yield from self._chunks()
        else:
            yield from self._sized(int(head.field(b"content-length") or 0))

    def body_of_answer(self, head: Head, request: str) -> Iterator[Piece]:
        """The body of an answer. If nothing says how long it is, it ends with the connection."""
        if request.startswith("HEAD ") or head.status in _BODILESS:
            return
        if head.chunked:
            yield from self._chunks()
        elif length := head.field(b"content-length"):
            yield from self._sized(int(length))
        else:
            while data := self.some():
                yield Piece(data)

    def _sized(self, size: int) -> Iterator[Piece]:
        while size > 0:
            data = self.some()
            if not data:
                raise BrokenOffError
            self._waiting = data[size:]
            yield Piece(data[:size])
            size -= len(data[:size])

    def _chunks(self) -> Iterator[Piece]:
        while line := self._until(b"\r\n"):
            size = int(line.split(b";")[0], 16)
            yield Piece(line, framing=True)
            if size == 0:
                while trailer := self._until(b"\r\n"):
                    yield Piece(trailer, framing=True)
                    if trailer == b"\r\n":
                        return
            yield from self._sized(size)
            yield Piece(self._until(b"\r\n"), framing=True)
        raise BrokenOffError

    def ready_before(self, other: socket.socket) -> bool:
        """Wait until there is something to read here; False if the other connection ends before."""
        while not self._waiting:
            ready, _, _ = select.select([self._source, other], [], [])
            if self._source in ready:
                break
            if not other.recv(1, socket.MSG_PEEK):
                return False
            time.sleep(_LOOK)  # the other one sends before it has an answer: it is read later
        return True

    def _until(self, mark: bytes) -> bytes:
        data = self._waiting
        while mark not in data:
            more = self._source.recv(_SIZE)
            if not more:
                return b""
            data += more
        found, _, self._waiting = data.partition(mark)
        return found + mark
