"""An excerpt of a log for a page: its beginning, and a longer part of its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
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
    of_begin, of_end = budget // HEAD_SHARE, budget - budget // HEAD_SHARE
    begin, end, size = b"", _End(of_end), 0
    try:
        for chunk in log:
            size += len(chunk)
            missing = of_begin - len(begin)
            begin += chunk[:missing]
            end.take(chunk[missing:])
    except StorageError:
        return None
    if size <= budget:
        whole = _plain(begin + end.content)
        return Excerpt(whole, 0, "") if whole.strip() else None
    # Whole lines, if there are any.
    head, tail = begin.rpartition(b"\n"), end.content.partition(b"\n")
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
