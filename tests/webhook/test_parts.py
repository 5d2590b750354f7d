"""Small parts that the scenarios do not cover."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.webhook.payload.fields import shown
from dockercise_prefect.webhook.receiver.backoff import Backoff
from dockercise_prefect.webhook.receiver.body import (
    LARGE_TOGETHER,
    LARGEST,
    SMALL,
    Bodies,
    TooBigError,
    TooMuchError,
    TooSlowError,
)
from dockercise_prefect.webhook.receiver.follower import Looks
from dockercise_prefect.webhook.receiver.loop import Loop
from tests.webhook.world import eventually


@given(st.integers(min_value=0, max_value=10**9))
def test_pauses_grow_to_a_minute(attempts: int) -> None:
    """The first attempts follow each other within seconds; after any number of attempts, the next one comes within a minute."""
    pause = Backoff().pause(attempts)

    assert 0.75 * min(60.0, 2.0 ** min(attempts, 7)) <= pause <= 60.0
    assert pause <= 2.0 ** min(attempts, 7)


def test_old_runs_are_looked_at_less_often() -> None:
    """The state of a run is read every two seconds at first, and every half minute later."""
    looks = Looks()

    assert [looks.pause(age) for age in (0.0, 100.0, 100_000.0)] == [2.0, 5.0, 30.0]


async def parts(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


async def no_end() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()


def test_bodies_together() -> None:
    """Large bodies without room are refused until another one is released; a refused body takes no room."""

    async def scenario() -> None:
        bodies = Bodies(seconds=0.05)
        held = [await bodies.read(parts(LARGEST - 1, 1), str(LARGEST)) for _ in range(LARGE_TOGETHER // LARGEST)]
        with pytest.raises(TooMuchError):
            await bodies.read(parts(SMALL, 1), None)
        with pytest.raises(TooBigError):
            await bodies.read(parts(), "9" * 5000)
        with pytest.raises(TooSlowError):
            await bodies.read(no_end(), None)
        small = await bodies.read(parts(SMALL - 1, 1), "nonsense")
        bodies.let_go(held.pop())
        with pytest.raises(TooBigError):
            await bodies.read(parts(LARGEST, 1), None)
        large = await bodies.read(parts(LARGEST), None)

        assert [len(body) for body in (small, large)] == [SMALL, LARGEST]

    asyncio.run(scenario())


def test_a_loop_goes_on_after_errors() -> None:
    """A step that fails is reported by its type only, and the loop takes further steps when it is woken."""
    told: list[str] = []
    steps = iter([sqlite3.OperationalError("disk I/O error"), KeyError("a secret")])
    done = threading.Event()

    def step() -> float:
        error = next(steps, None)
        if error is not None:
            raise error
        done.set()
        return float("inf")

    loop = Loop("work", step, told.append)
    loop.start()
    for count in (1, 2):
        eventually(lambda count=count: len(told) == count)  # type: ignore[misc]  # a default has no type
        loop.wake()
    eventually(done.is_set)
    loop.stop()

    assert told == [
        "the database of deliveries failed: disk I/O error; trying again",
        "work-0 failed: KeyError; trying again",
    ]
    assert loop.join(60)


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_text_of_strangers(text: str, longest: int) -> None:
    """Text of strangers is shown as one printable line of bounded length."""
    line = shown(text, longest)

    assert line == "" or line.isprintable()
    assert len(line) <= longest
