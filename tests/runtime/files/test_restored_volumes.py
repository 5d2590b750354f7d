"""Volumes that are restored from the record of a run."""

from __future__ import annotations

import pytest

from dockercise_prefect.archives.tarball import File, Folder, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from tests.engines.scripted import ScriptedEngine
from tests.runtime.workspaces import volumes_of


def test_files_of_another_digest_make_no_volume(scripted: ScriptedEngine, run_id: str) -> None:
    """A record that was changed is refused, and nothing of it stays on the engine."""
    scripted.add_image("i:1")
    image = scripted.resolve_image("i:1", pull=PullPolicy.NEVER, platform=None, progress=print).id
    files = tar_stream([Folder(path="a"), File(path="a/f", size=1, content=lambda: [b"x"])])

    with pytest.raises(EngineError, match="does not match its record"):
        volumes_of(scripted, run_id).restored("a", image, files, "sha256:00")

    assert scripted.leftovers() == []


def test_a_damaged_record_makes_no_volume(scripted: ScriptedEngine, run_id: str) -> None:
    """An archive that is cut short is refused, and nothing of it stays on the engine."""
    scripted.add_image("i:1")
    image = scripted.resolve_image("i:1", pull=PullPolicy.NEVER, platform=None, progress=print).id
    files = b"".join(tar_stream([Folder(path="a"), File(path="a/f", size=2000, content=lambda: [bytes(2000)])]))

    with pytest.raises(EngineError):
        volumes_of(scripted, run_id).restored("a", image, [files[:1500]], "sha256:00")

    assert scripted.leftovers() == []
