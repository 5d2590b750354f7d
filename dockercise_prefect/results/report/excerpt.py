"""A log, or as much of it as a page can hold: its beginning, and more of its end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.results.clean import plain_line

HEAD_SHARE = 4
"""The beginning gets one part in so many; what went wrong is at the end."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines without control characters.

    Attributes:
        head: the beginning, or all of it.
        left_out: bytes between head and tail.
        tail: the end; empty where the head is all.
    """

    head: str
    left_out: int
    tail: str


def excerpt(path: Path, budget: int) -> Excerpt | None:
    """What a page shows of a log; None where there is none, or nothing in it.

    Args:
        path: of the log.
        budget: bytes of it, at most.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= budget:
                whole = _plain(file.read(budget))
                return Excerpt(whole, 0, "") if whole.strip() else None
            head = file.read(budget // HEAD_SHARE).rpartition(b"\n")
            file.seek(size - (budget - budget // HEAD_SHARE))
            tail = file.read().partition(b"\n")
    except OSError:
        return None
    # Whole lines, where there are any.
    first, last = (head[0] + head[1]) or head[2], tail[2] or tail[0]
    return Excerpt(_plain(first), size - len(first) - len(last), _plain(last))


def _plain(content: bytes) -> str:
    return "\n".join(map(plain_line, content.decode("utf-8", "replace").split("\n")))
