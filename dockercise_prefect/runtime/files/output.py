"""Keeps what a stage prints on stdout, byte for byte, in bounded memory."""

from __future__ import annotations

import os
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator

IN_MEMORY = 65_536
"""Bytes of one stage's stdout that stay in memory. Longer output goes to the spool."""

CHUNK = 262_144
"""Bytes that are read at once."""


class Printed:
    """What a stage printed. Can be read as long as the file or spool that has it is open.

    Args:
        size: bytes.
        read: called with an offset and a number of bytes; returns these bytes.
    """

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        self.size = size
        self.read = read

    @classmethod
    def of(cls, data: bytes) -> Printed:
        """Short output that is in memory."""
        return cls(len(data), lambda offset, size: data[offset : offset + size])

    def chunks(self) -> Iterator[bytes]:
        """All of it, in pieces."""
        return (self._piece(start) for start in range(0, self.size, CHUNK))

    def value_size(self) -> int:
        """Bytes of the stage's value: what it printed, without ASCII white space at both ends (LANGUAGE section 3)."""
        blank = 0
        for start in reversed(range(0, self.size, CHUNK)):
            chunk = self._piece(start)
            blank += len(chunk) - len(chunk.rstrip())
            if not chunk.isspace():
                return self.size - blank - self._blank_before()
        return 0

    def value(self) -> bytes:
        """The stage's value, in memory. The caller must know that it is short."""
        return self.value_beginning(self.size).rstrip()

    def value_beginning(self, most: int) -> bytes:
        """The first `most` bytes of the value. If the value is shorter, white space may follow it."""
        start = self._blank_before()
        return self.read(start, min(most, self.size - start))

    def _blank_before(self) -> int:
        blank = 0
        for chunk in self.chunks():
            blank += len(chunk) - len(chunk.lstrip())
            if not chunk.isspace():
                break
        return blank

    def _piece(self, start: int) -> bytes:
        return self.read(start, min(CHUNK, self.size - start))


class Spool:
    """One temporary file for the long outputs of a run.

    The file has no name. So nothing is left of it if the process is killed, and others cannot open it to read sensitive
    output. One file for all stages keeps the number of open files small. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        self._end = 0

    def append(self, data: bytes) -> int:
        """Keep the data, return the offset where it begins. Raises `OSError` if the disk is full."""
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
        """Up to `size` bytes from `offset`. Raises `ValueError` if the spool is closed."""
        with self._lock:
            if self._file is None:
                raise ValueError("the run has ended and its outputs are deleted")
            return os.pread(self._file, size, offset)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


class SpooledOutput:
    """A stage's stdout, in memory or in a spool. One thread writes. When it is done, any number of threads may read.

    Args:
        spool: where long output goes.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._tail = bytearray()
        self._starts: list[int] = []  # for each chunk in the spool: its offset in the output,
        self._offsets: list[int] = []  # and its offset in the spool
        self._spooled = 0

    def write(self, chunk: bytes) -> None:
        """Append. Raises `OSError` if the disk is full."""
        self._tail += chunk
        if len(self._tail) > IN_MEMORY:
            data = bytes(self._tail)
            self._offsets.append(self._spool.append(data))
            self._starts.append(self._spooled)
            self._spooled += len(data)
            self._tail.clear()

    def printed(self) -> Printed:
        """What was written."""
        return Printed(self._spooled + len(self._tail), self._read)

    def _read(self, offset: int, size: int) -> bytes:
        found = bytearray()
        while len(found) < size and offset < self._spooled:
            at = bisect_right(self._starts, offset) - 1
            end = self._starts[at + 1] if at + 1 < len(self._starts) else self._spooled
            piece = self._spool.read(self._offsets[at] + offset - self._starts[at], min(size - len(found), end - offset))
            found += piece
            offset += len(piece)
        if len(found) < size:
            start = offset - self._spooled
            found += self._tail[start : start + size - len(found)]
        return bytes(found)
