"""Which contents are removed when there are too many: those that are cheapest to make again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class _Left:
    """The attributes of an `Entry` that say what it costs to make its contents again. Other attributes are not looked at."""

    seconds: float
    output_digest: str
    volume_digest: str | None


_ALL_LEFT = TypeAdapter(list[_Left])


def seconds_of_contents(entries: Any) -> dict[str, float]:
    """For the digest of each content that entries name, the seconds of the slowest stage that left it.

    A place may have entries of another version, which this version cannot reuse. Their contents are not to be lost.

    Args:
        entries: what `entries_to_json` returns, of this version or of another one.

    Raises:
        ValueError: the value is not a list of entries.
    """
    found: dict[str, float] = {}
    for left in _ALL_LEFT.validate_python(entries):
        for digest in (left.output_digest, left.volume_digest):
            if digest is not None:
                found[digest] = max(left.seconds, found.get(digest, 0.0))
    return found


def evicted(sizes: Mapping[str, int], seconds: Mapping[str, float], limit: int) -> Iterator[str]:
    """The contents that have to go, so that the others have at most `limit` bytes.

    Those with the fewest seconds for each byte go first. A content that no entry names costs nothing, but stays while there is
    room: a run that is still going on may have left it.

    Args:
        sizes: the bytes of each content, by its digest.
        seconds: what it costs to make a content again, see `seconds_of_contents`.
        limit: bytes.
    """
    total = sum(sizes.values())
    for digest in sorted(sizes, key=lambda digest: (seconds.get(digest, 0.0) / max(1, sizes[digest]), digest)):
        if total <= limit:
            return
        total -= sizes[digest]
        yield digest
