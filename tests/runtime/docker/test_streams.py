"""How the engine's multiplexed output is split and passed on."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.streams import FrameSplitter, pump
from tests.engines.driving import Output

_FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)))


def _encode(frames: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", channel, len(payload)) + payload for channel, payload in frames)


def _reads(*chunks: bytes | None) -> Callable[[float], bytes | None]:
    """A connection that gives these chunks; None stands for a silent period."""
    given_ = iter(chunks)
    return lambda _: next(given_)


def _never() -> bool:
    raise AssertionError("nobody was silent")


@given(_FRAMES, st.integers(1, 30))
def test_however_the_stream_is_cut(frames: list[tuple[int, bytes]], size: int) -> None:
    """Frames arrive whole and in order, whatever pieces the network cuts them into."""
    stream = _encode(frames)
    output = Output()

    pump(_reads(*(stream[start : start + size] for start in range(0, len(stream), size)), b""), output, _never)

    assert output.stdout == b"".join(payload for channel, payload in frames if channel == 1)
    assert output.stderr == b"".join(payload for channel, payload in frames if channel == 2)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stream_that_breaks_off(cut: int) -> None:
    """A stream that ends within a frame is an error: output is never cut short silently."""
    stream = _encode([(1, b"text")])[:-cut]

    if stream:
        with pytest.raises(EngineError, match="ended in the middle of a frame"):
            pump(_reads(stream, b""), Output(), _never)


def test_silence_of_a_container_that_runs() -> None:
    """A container that prints nothing for a long time is waited for."""
    output = Output()

    pump(_reads(None, None, None, _encode([(1, b"late")]), b""), output, lambda: True)

    assert output.stdout == b"late"


def test_a_stream_that_stays_open() -> None:
    """A stream that stays open after the container's end is given up after a silent period, and nothing is lost."""
    output = Output()
    running = iter([True, False])

    pump(_reads(None, _encode([(1, b"one")]), None, _encode([(1, b"two")]), None), output, lambda: next(running))

    assert output.stdout == b"onetwo"


def test_what_is_no_frame() -> None:
    """Data that is not a frame is an error and not output."""
    with pytest.raises(EngineError, match="not in frames"):
        list(FrameSplitter().feed(b"HTTP/1.1 200 OK"))


def test_the_engines_own_complaints_go_to_stderr() -> None:
    """Messages of the engine itself in the stream are not part of a value."""
    frames = list(FrameSplitter().feed(_encode([(3, b"engine: trouble")])))

    assert frames == [("stderr", b"engine: trouble")]
