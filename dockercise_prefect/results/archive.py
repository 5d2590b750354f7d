"""What `zstd` compressed, read in bounded memory, and known to be whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zstandard import ZstdDecompressor, ZstdError

LEVEL = 3
"""Of compression, as `zstd` has it by default."""

BITE = 512
"""Bytes that are decompressed at once. Four bytes can stand for 128 KiB, so that at most 16 MiB come of them."""


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of one compressed frame.

    Raises:
        ValueError: it is damaged, or cut, or something stands behind it. What comes from `chunks` itself comes out as it is.
    """
    frame = ZstdDecompressor().decompressobj()
    for chunk in chunks:
        for start in range(0, len(chunk), BITE):
            if frame.eof:
                raise ValueError("there is more data after its end")
            try:
                content = frame.decompress(chunk[start : start + BITE])
            except ZstdError as error:
                raise ValueError(f"damaged ({error})") from error
            if content:
                yield content
    if not frame.eof:
        raise ValueError("cut off")
    if frame.unused_data:
        raise ValueError("there is more data after its end")
