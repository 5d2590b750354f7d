"""Which contents are removed when there are too many: those that are cheapest to make again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dockercise_prefect.results.cache.entry import Entry


def evicted(sizes: Mapping[str, int], entries: Iterable[Entry], limit: int) -> Iterator[str]:
    """The contents that have to go, so that the others have at most `limit` bytes.

    A content costs the seconds that the slowest stage took that left it. Those with the fewest seconds for each byte go first.
    A content that no entry names costs nothing, but stays while there is room: a run that is still going on may have left it.

    Args:
        sizes: the bytes of each content, by its digest.
        entries: what stages have left.
        limit: bytes.
    """
    seconds: dict[str, float] = {}
    for entry in entries:
        for digest in entry.contents:
            seconds[digest] = max(entry.seconds, seconds.get(digest, 0.0))
    total = sum(sizes.values())
    for digest in sorted(sizes, key=lambda digest: (seconds.get(digest, 0.0) / max(1, sizes[digest]), digest)):
        if total <= limit:
            return
        total -= sizes[digest]
        yield digest
