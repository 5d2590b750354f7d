"""Reads data that `zstd` compressed, in bounded memory, and checks that it is complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zstandard import ZstdDecompressor, ZstdError

LEVEL = 3
"""The level of compression, the default of `zstd`."""

SMALLEST, LARGEST = 32, 512
"""How many bytes are decompressed at once. Four bytes can become 128 KiB, so a piece becomes at most 1 or 16 MiB."""

PLENTY = 262_144
"""Bytes. If a piece becomes more than this, the next piece is smaller."""


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of one compressed frame.

    Raises:
        ValueError: the frame is damaged or incomplete, or other data follows it. Errors from `chunks` itself are not changed.
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
        raise ValueError("truncated")
    if frame.unused_data:
        raise ValueError("there is more data after its end")
