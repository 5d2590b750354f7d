"""Pausing Python's garbage collector, and keeping imports out of its sight."""

from __future__ import annotations

import gc
import subprocess
import sys

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


def test_imports_are_never_looked_at_again() -> None:
    """What is there after the imports is out of the collector's sight, and the collector runs again for what comes later."""
    script = """
import gc
import subprocess
import sys
from dockercise_prefect.collector import imports_kept
with imports_kept():
    paused = not gc.isenabled()
    import json.decoder
print(paused, gc.isenabled(), gc.get_freeze_count() > 1000, gc.is_tracked(json.decoder.__dict__), len(gc.get_objects()) < 1000)
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)

    assert process.stdout.split() == ["True"] * 5
