"""A volume of a recorded run is restored on an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.run.outputs import restored_volume
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import stage_world
from tests.runtime.workspaces import volumes_of


@pytest.fixture
def run(scripted: ScriptedEngine, tmp_path: Path) -> RecordedRun:
    """A run with a stage `a` that left a file, and a stage `b` that left nothing."""
    scripted.script("write", Behaviour(writes={"/a/d/f": b"text"}))
    with stage_world(
        scripted, compiled(a=f"a: {{img: {BUSYBOX}, run: write}}\nb: {{img: {BUSYBOX}, run: x}}"), tmp_path
    ) as world:
        world.run("a")
        world.run("b")
    return RecordedRun(FolderObjects(tmp_path), world.pipeline.name, "run")


def image_of(engine: ScriptedEngine) -> str:
    """The id of an image for helpers."""
    return engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=print).id


def test_it_has_the_files_and_the_digest_of_the_record(scripted: ScriptedEngine, run: RecordedRun, run_id: str) -> None:
    """The restored volume has the labels of another run, and the same digest as in the record."""
    volume = restored_volume(run, "a", volumes_of(scripted, run_id), image_of(scripted))

    entry = run.entry("a")
    assert entry is not None
    assert volume.digest == entry.volume_digest
    assert volume.digest is not None
    assert [each.labels["dockercise.run"] for each in scripted.leftovers() if each.id == volume.name] == [run_id]


@pytest.mark.parametrize("stage", ["b", "unknown"])
def test_a_volume_that_is_not_in_the_record(scripted: ScriptedEngine, run: RecordedRun, run_id: str, stage: str) -> None:
    """A volume that is not in the record is refused, and nothing is made on the engine."""
    with pytest.raises(StorageError, match=f"does not have the volume of {stage}"):
        restored_volume(run, stage, volumes_of(scripted, run_id), image_of(scripted))

    assert scripted.leftovers() == []
