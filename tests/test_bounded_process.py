"""Work in a separate process."""

from __future__ import annotations

import pytest

from dockercise_prefect.bounded_process import Bounds, ProcessEndedError, TooMuchWorkError, work_in_process

WIDE = Bounds(cpu=60, seconds=120, memory=1 << 30)


def echo(given: bytes) -> bytes:
    return given[::-1]


def turn(_given: bytes) -> bytes:
    while True:
        pass


def wait(_given: bytes) -> bytes:
    import threading

    threading.Event().wait()
    return b""


def hoard(_given: bytes) -> bytes:
    return b"x" * (2 << 30)


def fail(_given: bytes) -> bytes:
    raise KeyError("a secret")


def test_what_a_function_returns() -> None:
    """Any number of bytes is passed to the process and back."""
    given = b"0123456789" * 100_000

    assert work_in_process(f"{__name__}:echo", given, WIDE) == given[::-1]


@pytest.mark.parametrize(
    ("work", "bounds", "message"),
    [
        ("turn", Bounds(cpu=1, seconds=120, memory=1 << 30), "1 seconds of processor time"),
        ("wait", Bounds(cpu=60, seconds=3, memory=1 << 30), "it took more than 3 seconds"),
        ("hoard", Bounds(cpu=60, seconds=120, memory=1 << 30), "1024 MiB of memory"),
    ],
)
def test_what_takes_too_much(work: str, bounds: Bounds, message: str) -> None:
    """Work that exceeds a limit of processor time, time or memory is ended, and the message names the limit."""
    with pytest.raises(TooMuchWorkError, match=message):
        work_in_process(f"{__name__}:{work}", b"", bounds)


def test_what_fails() -> None:
    """The error of failed work does not contain its message, because an unexpected error may hold a secret."""
    with pytest.raises(ProcessEndedError) as raised:
        work_in_process(f"{__name__}:fail", b"", WIDE)

    assert "secret" not in str(raised.value)
