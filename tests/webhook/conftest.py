"""The scripted world, and a receiver that is connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhook.receiving import Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld


@pytest.fixture
def world(tmp_path: Path) -> ScriptedWorld:
    """A world without deployments and runs, in which the hub answers."""
    return ScriptedWorld(tmp_path / "world.sqlite")


@pytest.fixture
def receiver(world: ScriptedWorld, tmp_path: Path) -> Iterator[Receiving]:
    """A receiver without a secret of its own."""
    with receiving(world.hub, tmp_path / "data") as running:
        yield running
