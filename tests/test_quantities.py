"""Durations, sizes and numbers of processors: reading and showing them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.quantities import bytes_of, processors_of, seconds_of, shown_bytes, shown_seconds


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [("90s", 90, "1m30s"), ("1h30m", 5400, "1h30m"), ("1.5h", 5400, "1h30m"), ("0.5s", 0.5, "0.5s"), ("0s", 0, "0s")],
)
def test_durations(text: str, seconds: float, shown: str) -> None:
    """Hours, minutes and seconds are added, and shown with as few digits as possible."""
    assert (seconds_of(text), shown_seconds(seconds)) == (seconds, shown)


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [
        ("2g", 2**31, "2g"),
        ("1.5 GiB", 3 * 2**29, "1536m"),
        ("512K", 2**19, "512k"),
        ("100", 100, "100"),
        ("3tb", 3 * 2**40, "3t"),
    ],
)
def test_sizes(text: str, size: int, shown: str) -> None:
    """Units are powers of 1024, and a size is shown in the largest unit in which it is a whole number."""
    assert (bytes_of(text), shown_bytes(size)) == (size, shown)


@pytest.mark.parametrize("text", ["", "x", "5", "-1s", "1s ", "1m1h", "1m\n"])
def test_no_duration(text: str) -> None:
    """A text that is not a duration is refused."""
    assert seconds_of(text) is None


@pytest.mark.parametrize("text", ["", "x", "-1m", "1.m", "1mm", "1m\n"])
def test_no_size(text: str) -> None:
    """A text that is not a size is refused."""
    assert bytes_of(text) is None


@pytest.mark.parametrize(("text", "number"), [(".5", 0.5), ("2", 2), ("2.0", 2), ("1,5", None), ("", None), ("1e3", None)])
def test_processors(text: str, number: float | None) -> None:
    """A number of processors is a plain number."""
    assert processors_of(text) == number


@given(st.integers(1, 10**12 - 1), st.integers(1, 10**9))
def test_what_is_shown_can_be_read(size: int, thousandths: int) -> None:
    """The shown text, read again, gives the same value."""
    assert bytes_of(shown_bytes(size)) == size
    assert seconds_of(shown_seconds(thousandths / 1000)) == pytest.approx(thousandths / 1000)
