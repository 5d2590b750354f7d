"""The output of stages: exact, bounded in memory, and as lines."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dockercise_prefect.runtime.files.lines import LineDecoder, LogTail
from dockercise_prefect.runtime.files.output import IN_MEMORY, Printed, Spool, SpooledOutput

MIXED = st.text().map(str.encode) | st.binary() | st.sampled_from([b"\n", b"\r\n", b"\r", b"\xf0\x9f", b"\x98\x80"])


def written(spool: Spool, *chunks: bytes) -> Printed:
    """An output of these chunks."""
    output = SpooledOutput(spool)
    for chunk in chunks:
        output.write(chunk)
    return output.printed()


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, 5 * IN_MEMORY + 3])
def test_an_output_is_kept_byte_for_byte(size: int) -> None:
    """Short or long, an output can be read back exactly as it was written."""
    data = bytes(range(256)) * (size // 256) + b"z" * (size % 256)

    output = written(Spool(), data[: size // 3], data[size // 3 :])

    assert b"".join(output.chunks()) == data
    assert output.size == size


def test_outputs_that_share_a_spool_do_not_mix() -> None:
    """Two stages that print at the same time keep their own bytes."""
    spool = Spool()
    first, second = SpooledOutput(spool), SpooledOutput(spool)

    for _ in range(4):
        first.write(b"1" * IN_MEMORY)
        second.write(b"2" * (IN_MEMORY + 1))

    assert set(b"".join(first.printed().chunks())) == {ord("1")}
    assert set(b"".join(second.printed().chunks())) == {ord("2")}


def test_a_long_output_does_not_stay_in_memory() -> None:
    """Writing and reading 50 MB takes a few hundred kilobytes of memory."""
    output = SpooledOutput(Spool())
    chunk = b"x" * 32_768
    tracemalloc.start()

    for _ in range(1_600):
        output.write(chunk)
    read = sum(len(piece) for piece in output.printed().chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read == 1_600 * len(chunk)
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        (b"  two\nlines \n\n", b"two\nlines"),
        (b"\t\r\n\x0b\x0c v \x0c", b"v"),
        (b"", b""),
        (b" \n", b""),
        ("\u00a0kept\u2003".encode(), "\u00a0kept\u2003".encode()),
        (b"\xff\xfe\n", b"\xff\xfe"),
    ],
)
def test_a_value_is_trimmed_of_ascii_white_space_only(printed: bytes, value: bytes) -> None:
    """A value is stdout without the ASCII white space at both ends, and exact in between."""
    assert written(Spool(), printed).value() == value


@given(
    chunks=st.lists(st.sampled_from([b" \n", b"x", b"y z", b" " * (IN_MEMORY + 1), b"z" * IN_MEMORY]), max_size=8),
    most=st.integers(0, 200_000),
)
def test_how_long_a_value_is_can_be_asked_without_reading_it(chunks: list[bytes], most: int) -> None:
    """The size and beginning of a value are correct, wherever it was spooled."""
    output = written(Spool(), *chunks)
    value = b"".join(chunks).strip()

    assert output.value() == value
    assert output.value_size() == len(value)
    assert output.value_beginning(most)[: len(value)] == value[:most]


def test_a_long_value_does_not_come_into_memory_for_its_size() -> None:
    """The size and beginning of a value of 50 MB take a few hundred kilobytes of memory."""
    output = written(Spool(), *[b"x" * 32_768] * 1_600)
    tracemalloc.start()

    size, beginning = output.value_size(), output.value_beginning(10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (size, beginning) == (1_600 * 32_768, b"x" * 10)
    assert peak < 2_000_000


def test_a_spool_that_is_closed_refuses_to_read() -> None:
    """After the run, reading a long output fails with a message that it is gone."""
    spool = Spool()
    output = written(spool, b"x" * (IN_MEMORY + 1))

    spool.close()

    with pytest.raises(ValueError, match="has ended"):
        list(output.chunks())


@example(chunks=[b"0", b"\r", b"\n"], longest=1)
@example(chunks=[b"0\r", b"\r", b"x\n"], longest=1)
@given(chunks=st.lists(MIXED), longest=st.integers(1, 30))
def test_lines_do_not_depend_on_chunks(chunks: list[bytes], longest: int) -> None:
    """The same lines come out in whatever chunks the bytes arrive, and no line is too long."""
    decoder, whole = LineDecoder(longest), LineDecoder(longest)

    lines = [line for chunk in chunks for line in decoder.feed(chunk)] + decoder.flush()

    assert lines == whole.feed(b"".join(chunks)) + whole.flush()
    assert all(len(line) <= longest for line in lines)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\n\r")), longest=st.integers(1, 30))
def test_a_line_in_pieces_loses_nothing(text: str, longest: int) -> None:
    """The pieces of a long line together are the whole line."""
    decoder = LineDecoder(longest)

    pieces = decoder.feed(text.encode() + b"\n") + decoder.flush()

    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\r\nc"], ["a", "b", "c"]),
        ([b"\n\n"], ["", ""]),
        ([b"\xe2\x98", b"\x83\n"], ["☃"]),
        ([b"\xff\n\xc3"], ["\ufffd", "\ufffd"]),
        ([b"50%\r100%\n"], ["50%\r100%"]),
        ([b"abc", b"\r", b"\n", b"d\n"], ["abc", "d"]),
        ([b""], []),
    ],
)
def test_lines(chunks: list[bytes], lines: list[str]) -> None:
    """Lines end at line feeds; the last may have none; what is not UTF-8 shows as U+FFFD."""
    decoder = LineDecoder(1_000)

    found = [line for chunk in chunks for line in decoder.feed(chunk)] + decoder.flush()

    assert found == lines


def test_the_tail_is_the_last_lines_of_both_channels() -> None:
    """A failure's message shows the last lines in the order in which they came, each channel on its own lines."""
    tail = LogTail()
    for number in range(50):
        tail.add("stdout", b"line %d\n" % number)
    tail.add("stdout", b"half")

    tail.add("stderr", b"boom\n")

    assert tail.text().splitlines()[-3:] == ["line 49", "half", "boom"]
    assert len(tail.text().splitlines()) == LogTail.LINES


def test_the_tail_of_one_huge_line_is_short() -> None:
    """A tail is bounded, however long its lines are."""
    tail = LogTail()

    tail.add("stdout", b"x" * 1_000_000)

    assert len(tail.text()) == LogTail.BYTES
