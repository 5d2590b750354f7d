"""An excerpt of a log for a page: its beginning, and a longer part of its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.reading.terminal_text import plain_line

HEAD_SHARE = 4
"""The beginning gets one part in so many. The end gets more, because errors are there."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines without control characters.

    Attributes:
        head: the beginning, or the whole log.
        left_out: the number of bytes between head and tail.
        tail: the end; empty if the head is the whole log.
    """

    head: str
    left_out: int
    tail: str


def excerpt(log: Iterable[bytes], budget: int) -> Excerpt | None:
    """The excerpt of a log for a page; None if there is no log, or if it is empty.

    Args:
        log: the bytes of the log, in pieces. At most the budget and one piece are in memory at once.
        budget: the maximum number of bytes in the excerpt.
    """
    of_begin, of_end = _shares(budget)
    begin, end, size = b"", _End(of_end), 0
    try:
        for chunk in log:
            size += len(chunk)
            missing = of_begin - len(begin)
            begin += chunk[:missing]
            end.take(chunk[missing:])
    except StorageError:
        return None
    return _cut(begin, end.content, size, budget)


def excerpt_of_ends(log: Callable[[int], Iterable[bytes]], size: int, budget: int) -> Excerpt | None:
    """The same for a log that can be read from any offset on. Only what the excerpt needs is read.

    Args:
        log: opens the log at an offset.
        size: the bytes of the log.
        budget: the maximum number of bytes in the excerpt.
    """
    of_begin, of_end = _shares(budget)
    try:
        if size <= budget:
            begin, end = _first(log(0), size), b""
        else:
            begin, end = _first(log(0), of_begin), _first(log(size - of_end), of_end)
    except StorageError:
        return None
    return _cut(begin, end, size, budget)


def _shares(budget: int) -> tuple[int, int]:
    """How many bytes of the beginning and of the end are shown."""
    return budget // HEAD_SHARE, budget - budget // HEAD_SHARE


def _first(log: Iterable[bytes], length: int) -> bytes:
    found = b""
    for chunk in log:
        found += chunk
        if len(found) >= length:
            break
    return found[:length]


def _cut(begin: bytes, end: bytes, size: int, budget: int) -> Excerpt | None:
    if size <= budget:
        whole = _plain(begin + end)
        return Excerpt(whole, 0, "") if whole.strip() else None
    # Whole lines, if there are any.
    head, tail = begin.rpartition(b"\n"), end.partition(b"\n")
    first, last = (head[0] + head[1]) or head[2], tail[2] or tail[0]
    return Excerpt(_plain(first), size - len(first) - len(last), _plain(last))


class _End:
    """Collects the last bytes of a sequence of pieces."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def take(self, piece: bytes) -> None:
        piece = piece[-self._length :]  # a piece may be many megabytes
        self._pieces.append(piece)
        self._size += len(piece)
        while self._size - len(self._pieces[0]) >= self._length:
            self._size -= len(self._pieces.popleft())

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)[-self._length :]


def _plain(content: bytes) -> str:
    return "\n".join(map(plain_line, content.decode("utf-8", "replace").split("\n")))
