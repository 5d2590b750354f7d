"""The jobs of a run: everything that they name is made first, and they contain no text of a variable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Cache, Pipeline, Stage, StageValue, built_from, code, host, stage
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.copying.copies import Copies
from dockercise_prefect.runtime.copying.trials import Trials
from dockercise_prefect.runtime.files.shared_volumes import SharedVolumes
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.images import Images
from dockercise_prefect.runtime.stage.job import Job, JobResult, OwnVolume
from dockercise_prefect.runtime.stage.jobs import Jobs
from dockercise_prefect.runtime.stage.mounts import StageMounts, no_kept_volume, used_volumes
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.runtime.workspaces import IDENTITY, MemoryOutputs, passed, sh, volumes_of


def _now(task: Callable[[], object]) -> None:
    task()


class Makes:
    """The jobs of one run on a scripted engine."""

    def __init__(self, engine: ScriptedEngine, root: Path, *stages: Stage) -> None:
        pipeline = Pipeline("p", stages)
        self.engine = engine
        self.outputs = MemoryOutputs()
        self.volumes = volumes_of(engine)
        images = Images(engine, pipeline, Labels(IDENTITY, "owner"))
        images.resolve(logging.warning)
        shared = SharedVolumes(engine, self.volumes, root, None, logging.warning, {})
        self._jobs = Jobs(
            identity=IDENTITY,
            owner="owner",
            images=images,
            shared=shared,
            mounts=StageMounts(self.volumes, shared, root, no_kept_volume, aws=False),
            copies=Copies(engine, self.volumes, Trials(None), _now, images.any),
            copied={},
            aws=False,
            git=False,
            secrets=(),
            answers=frozenset(),
            seen=used_volumes(pipeline),
            confinement=Confinement(),
        )

    def job(self, stage: Stage, *inputs: JobResult) -> Job:
        """The job of a stage."""
        return self._jobs.make(stage, {one.stage: one for one in inputs})

    def left(self, name: str, printed: bytes, attempt: int = 1) -> JobResult:
        """The result of an attempt that printed this."""
        return passed(self.outputs, name, printed, attempt, OwnVolume(self.volumes.own(name), written=True))


def sources(job: Job) -> dict[str, str]:
    """The sources of the mounts, by target."""
    return {mount.target: mount.source for mount in job.mounts}


def test_a_job_names_all_that_its_container_needs(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Volumes of other stages and of the code and the image all exist before the attempt."""
    (tmp_path / "f").write_text("x")
    a = sh("a", "true")
    b = sh("b", "true", env={"V": StageValue("a"), "T": "t3xt", "H": host("h")}, volumes=[a.volume, code], on=a)
    makes = Makes(scripted, tmp_path, a, b)
    left = makes.left("a", b"one")

    job = makes.job(b, left)

    assert left.volume is not None
    assert job.stage == replace(b, env={})
    assert "t3xt" not in job.to_json()
    assert (job.origin, sources(job)["/a"]) == (left.volume.name, left.volume.name)
    assert {"/a", "/code"} == sources(job).keys()
    assert all(scripted.volume_exists(volume) for volume in sources(job).values())
    assert job.image is not None
    assert job.image.ref == BUSYBOX


def test_a_stage_without_a_container_needs_nothing(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The job of a stage that only joins others has no image and no mounts, and nothing is made for it."""
    a, join = sh("a", "true"), stage("join", after=[sh("a", "true")])
    makes = Makes(scripted, tmp_path, a, join)
    left = makes.left("a", b"one")
    before = scripted.leftovers()

    job = makes.job(join, left)

    assert (job.image, job.helper, job.mounts) == (None, None, ())
    assert scripted.leftovers() == before


def test_a_volume_that_is_gone_is_said_before_the_attempt(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """No job is made if a volume that it needs is gone."""
    a = sh("a", "true")
    b = sh("b", "true", volumes=[a.volume])
    makes = Makes(scripted, tmp_path, a, b)
    left = makes.left("a", b"one")
    assert left.volume is not None
    scripted.remove_volume(left.volume.name)

    with pytest.raises(EngineError, match="the volume of a is no longer on the engine"):
        makes.job(b, left)


def test_a_job_says_whether_its_volume_is_seen() -> None:
    """A volume that another stage mounts, copies or builds is seen, and one of a stage with `cache` may be, in a later run.

    One whose stage is only waited for is not.
    """
    mounted, copied, built, waited_for = (sh(name, "x") for name in ("mounted", "copied", "built", "waited_for"))
    reusable = sh("reusable", "x", cache=Cache())
    users = [
        sh("m", "x", volumes=[mounted.volume]),
        sh("c", "x", on=copied),
        stage("b", build=built_from(built)),
        sh("w", "x", after=[waited_for]),
    ]

    seen = used_volumes(Pipeline("p", [mounted, copied, built, waited_for, reusable, *users]))

    assert seen == {"mounted", "copied", "built", "reusable"}
