"""What the tests of reuse share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.settings import Settings
from tests.engines.scripted import ScriptedEngine
from tests.orchestration.reuse.reuse_world import ReuseWorld


@pytest.fixture
def world(prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path) -> ReuseWorld:
    """Runs that share their results."""
    assert prefect_api
    root = tmp_path / "root"
    root.mkdir()
    return ReuseWorld(scripted, settings, root)
