"""Reading compressed data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from dockercise_prefect.results.record.compression import LEVEL, decompressed

MEGABYTE = 1_048_576


def compressed(pieces: Iterator[bytes]) -> bytes:
    """The bytes, compressed as one frame."""
    frame = ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
    return b"".join([*map(frame.compress, pieces), frame.flush()])


@given(st.lists(st.binary(max_size=100) | st.builds(bytes, st.integers(0, 3 * MEGABYTE)), max_size=5), st.data())
def test_whatever_was_compressed_comes_out(pieces: list[bytes], data: st.DataObject) -> None:
    """The bytes are the same again, in whatever pieces the compressed ones arrive."""
    frame = compressed(iter(pieces))
    cut = data.draw(st.integers(0, len(frame)))

    assert b"".join(decompressed([frame[:cut], frame[cut:]])) == b"".join(pieces)


def test_little_is_in_memory_of_a_log_that_repeats_itself() -> None:
    """A gigabyte of the same line is a few compressed kilobytes, and is still read in pieces of at most 2 MB."""
    line = b"y" * 63 + b"\n"
    frame = compressed(line * (MEGABYTE // 64) for _ in range(1024))

    lengths = [len(piece) for piece in decompressed([frame])]

    assert sum(lengths) == 1024 * MEGABYTE
    assert max(lengths) <= 2 * MEGABYTE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame[:-1], "truncated"),
        (lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]), "damaged"),
        (lambda frame: frame + b"x", "more data after its end"),
        (lambda frame: frame + frame, "more data after its end"),
        (lambda _: b"", "truncated"),
        (lambda _: b"no frame", "damaged"),
    ],
    ids=["cut", "damaged", "more", "twice", "empty", "something else"],
)
def test_what_is_not_whole_is_said(change: object, message: str) -> None:
    """A frame that is cut, damaged, or followed by other bytes is never taken for a whole one."""
    assert callable(change)
    frame = change(compressed(iter([b"hello" * 1000])))

    with pytest.raises(ValueError, match=message):
        b"".join(decompressed([frame]))
