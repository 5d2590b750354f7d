"""What `zstd` compressed, read in bounded memory, and known to be whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zstandard import ZstdDecompressor, ZstdError

LEVEL = 3
"""Of compression, as `zstd` has it by default."""

SMALLEST, LARGEST = 32, 512
"""Bytes that are decompressed at once. Four of them can stand for 128 KiB, so at most 1 or 16 MiB come of a piece."""

PLENTY = 262_144
"""Bytes. When more of them come of one piece, the next is smaller."""


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of one compressed frame.

    Raises:
        ValueError: it is damaged, or cut, or something stands behind it. What comes from `chunks` itself comes out as it is.
    """
    frame = ZstdDecompressor().decompressobj()
    size = SMALLEST
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            if frame.eof:
                raise ValueError("there is more data after its end")
            try:
                content = frame.decompress(chunk[start : start + size])
            except ZstdError as error:
                raise ValueError(f"damaged ({error})") from error
            start += size
            size = max(SMALLEST, size // 2) if len(content) > PLENTY else min(LARGEST, size * 2)
            if content:
                yield content
    if not frame.eof:
        raise ValueError("cut off")
    if frame.unused_data:
        raise ValueError("there is more data after its end")
