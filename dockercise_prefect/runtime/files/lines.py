"""Turns what stages print into lines: for logs, and for the message of a failure."""

from __future__ import annotations

import codecs
from collections import deque

from dockercise_prefect.runtime.output_sink import Channel


class LineDecoder:
    """Turns the chunks of one channel into lines of text, for logs.

    Lines end at a line feed, with or without a carriage return before it. Bytes that are not UTF-8 become U+FFFD. Nothing is
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
        length = len(self._pending.removesuffix("\r"))  # the carriage return may belong to the end of the line
        whole = length - length % self._longest
        if whole and whole == length:
            whole -= self._longest  # keep the last piece: only the end of the line may follow
        lines += self._pieces(self._pending[:whole]) if whole else []
        self._pending = self._pending[whole:]
        return lines

    def flush(self) -> list[str]:
        """The last line, if it was not ended by a line feed."""
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
        """Take the next chunk. If it comes from another channel than the last one, it begins a new line."""
        if channel != self._channel and self._chunks and not self._chunks[-1].endswith(b"\n"):
            chunk = b"\n" + chunk
        self._channel = channel
        chunk = chunk[-self.BYTES :]
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= self.BYTES:
            self._size -= len(self._chunks.popleft())

    def text(self) -> str:
        """The lines; empty if nothing was printed. The beginning of the first line may be missing."""
        text = b"".join(self._chunks)[-self.BYTES :].decode("utf-8", errors="replace")
        return "\n".join(text.replace("\r\n", "\n").rstrip().split("\n")[-self.LINES :])
