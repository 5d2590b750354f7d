"""The output of a stage: kept byte for byte, and split into lines for observers."""

from __future__ import annotations

import codecs
import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from dockercise_prefect.runtime.engine import Channel

IN_MEMORY = 65_536
"""Bytes of one stage's stdout that stay in memory; what is longer goes to the spool."""

CHUNK = 262_144
"""Bytes that are read from the spool at once."""


class Spool:
    """One temporary file for the long outputs of a run.

    The file has no name: nothing is left of it when the process is killed, and what is sensitive is never in a file that
    others could open. One file for all keeps the number of open files small. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        self._end = 0

    def append(self, data: bytes) -> int:
        """Keep the data, return the offset where it begins. Raises `OSError` when the disk is full."""
        with self._lock:
            if self._file is None:
                with tempfile.TemporaryFile() as file:
                    self._file = os.dup(file.fileno())
            offset = self._end
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, memoryview(data)[written:], offset + written)
            self._end += len(data)
            return offset

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`. Raises `ValueError` when the spool is closed."""
        with self._lock:
            if self._file is None:
                raise ValueError("the run is over: its outputs are gone")
            return os.pread(self._file, size, offset)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


class _Piece(NamedTuple):
    """Some bytes of an output: where they are in the spool, None for those in memory, and how many."""

    offset: int | None
    size: int


class StageOutput:
    """A stage's stdout, exact, in bounded memory. One thread writes; when it is done, any number may read.

    Args:
        spool: where it goes when it is long.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._tail = bytearray()
        self._spooled: list[tuple[int, int]] = []
        self.size = 0

    @classmethod
    def of(cls, data: bytes) -> StageOutput:
        """An output that is known already and short."""
        output = cls(Spool())
        output._tail += data
        output.size = len(data)
        return output

    def write(self, chunk: bytes) -> None:
        """Append. Raises `OSError` when the disk is full."""
        self._tail += chunk
        self.size += len(chunk)
        if len(self._tail) > IN_MEMORY:
            data = bytes(self._tail)
            self._spooled.append((self._spool.append(data), len(data)))
            self._tail.clear()

    def chunks(self) -> Iterator[bytes]:
        """All of it, byte for byte, in pieces."""
        yield from map(self._read, self._pieces())

    def value_size(self) -> int:
        """Bytes of the stage's value, which is all of it without the ASCII white space at both ends (LANGUAGE section 3)."""
        blank = 0
        for chunk in map(self._read, reversed(self._pieces())):
            blank += len(chunk) - len(chunk.rstrip())
            if not chunk.isspace():
                return self.size - blank - self._blank_before()
        return 0

    def value(self) -> bytes:
        """The stage's value, which the caller knows to be short: it is in memory."""
        return self.value_beginning(self.size).rstrip()

    def value_beginning(self, most: int) -> bytes:
        """The first `most` bytes of the value; where it has fewer, white space may follow it."""
        skip, found, missing = self._blank_before(), bytearray(), most
        for piece in self._pieces():
            if skip >= piece.size:
                skip -= piece.size
            elif missing > len(found):
                found += self._read(piece)[skip : skip + missing - len(found)]
                skip = 0
        return bytes(found)

    def _blank_before(self) -> int:
        blank = 0
        for chunk in self.chunks():
            blank += len(chunk) - len(chunk.lstrip())
            if not chunk.isspace():
                break
        return blank

    def _pieces(self) -> list[_Piece]:
        pieces = [
            _Piece(start, min(CHUNK, offset + size - start))
            for offset, size in self._spooled
            for start in range(offset, offset + size, CHUNK)
        ]
        return [*pieces, _Piece(None, len(self._tail))] if self._tail else pieces

    def _read(self, piece: _Piece) -> bytes:
        return bytes(self._tail) if piece.offset is None else self._spool.read(piece.offset, piece.size)

    def discard(self) -> None:
        """Forget it: it is empty from here on."""
        self._tail.clear()
        self._spooled.clear()
        self.size = 0


class LineDecoder:
    """Turns the chunks of one channel into lines of text, for logs.

    Lines end at a line feed, with or without a carriage return before it. Bytes that are no UTF-8 become U+FFFD. Nothing is
    dropped: a line longer than `longest` characters comes in several pieces.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pending = ""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that this chunk completes."""
        *complete, self._pending = (self._pending + self._decoder.decode(chunk)).split("\n")
        lines = [piece for line in complete for piece in self._pieces(line.removesuffix("\r"))]
        length = len(self._pending.removesuffix("\r"))  # which may belong to the end of the line
        whole = length - length % self._longest
        if whole and whole == length:
            whole -= self._longest  # the last piece waits: what follows may be nothing but the end of the line
        lines += self._pieces(self._pending[:whole]) if whole else []
        self._pending = self._pending[whole:]
        return lines

    def flush(self) -> list[str]:
        """The last line, where it has no end."""
        rest = self._pending + self._decoder.decode(b"", final=True)
        self._pending = ""
        return self._pieces(rest) if rest else []

    def _pieces(self, line: str) -> list[str]:
        return [line[start : start + self._longest] for start in range(0, len(line), self._longest)] or [""]


class LogTail:
    """The last lines that a stage printed on either channel, for the message of a failure."""

    LINES = 10
    BYTES = 2_000

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._channel: Channel | None = None

    def add(self, channel: Channel, chunk: bytes) -> None:
        """Take the next chunk; what the other channel prints begins a new line."""
        if channel != self._channel and self._chunks and not self._chunks[-1].endswith(b"\n"):
            chunk = b"\n" + chunk
        self._channel = channel
        chunk = chunk[-self.BYTES :]
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= self.BYTES:
            self._size -= len(self._chunks.popleft())

    def text(self) -> str:
        """The lines, the first perhaps cut; empty where nothing was printed."""
        text = b"".join(self._chunks)[-self.BYTES :].decode("utf-8", errors="replace")
        return "\n".join(text.replace("\r\n", "\n").rstrip().split("\n")[-self.LINES :])
