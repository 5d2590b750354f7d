"""Pausing Python's garbage collector."""

from __future__ import annotations

import gc

import pytest

from dockercise_prefect.collector import collector_paused


def test_the_collector_runs_again_afterwards() -> None:
    """The collector is off inside, also inside of another pause, and on again afterwards, also after an error."""
    inside: list[bool] = []

    def fail() -> None:
        with collector_paused():
            with collector_paused():
                inside.append(gc.isenabled())
            inside.append(gc.isenabled())
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()

    assert (inside, gc.isenabled()) == ([False, False], True)


def test_a_collector_that_was_off_stays_off() -> None:
    """Whoever has turned the collector off has it off afterwards."""
    gc.disable()
    try:
        with collector_paused():
            pass
        still_off = not gc.isenabled()
    finally:
        gc.enable()

    assert still_off
