"""The volumes of a recorded run, on another engine than the engine of the run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.archives.content_digest import content_digested
from dockercise_prefect.archives.tarball import members
from dockercise_prefect.orchestration.run.outputs import restored_volume
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.unpack import unpack
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import ContainerMount, Engine
from dockercise_prefect.runtime.files.volumes import Volumes
from tests.e2e.conftest import Dockercise
from tests.engines.scripted import BUSYBOX
from tests.engines.second_engine import second_engine
from tests.runtime.workspaces import volumes_of

PIPELINE = """\
meta: {name: shop, defaults: {img: busybox}}
build:
  run: |
    cd "$OUT"; mkdir -p site/deep empty; echo text > site/page; ln site/page same; ln -s site/page link; ln -s /nowhere dangling
    chmod 4755 site/page; chmod 1777 empty; chown 1000:100 site/deep; printf x > "new
    line"; dd if=/dev/zero of=holes bs=1 count=1 seek=3000000 2>/dev/null; mkfifo pipe
    long=$(printf '%0200d' 1); echo long > "$long"
check:
  on: build
  run: echo more > "$OUT/site/more"; rm "$OUT/same"
user: {user: "1000:1000", run: touch "$OUT/mine"}
work: {on: code, run: touch "$OUT/new"}
"""


def content_of(engine: Engine, volumes: Volumes, image: str, volume: str, stage: str) -> Iterator[bytes]:
    """The content of a volume on the engine."""
    with (
        volumes.reader(image, ContainerMount("volume", volume, f"/{stage}", read_only=True)) as reader,
        closing(engine.get(reader, f"/{stage}")) as archive,
    ):
        yield from archive


@pytest.mark.docker
def test_a_record_comes_back_on_another_engine(
    dockercise_run: Dockercise, tmp_path: Path, engine_folder: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each volume has the recorded digest on the other engine, and `diff -r` finds no difference."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(PIPELINE)
    ran = dockercise_run("-C", root)
    folder = Path(ran.summary["results"].removeprefix("file://"))
    run = RecordedRun(FolderObjects(folder.parents[1]), "shop", folder.name)
    digests = {stage: json.loads((folder / f"{stage}.json").read_bytes())["volume_digest"] for stage in ran.stages}
    with closing(connect()[0]) as first, second_engine(BUSYBOX, first, engine_folder) as other:
        monkeypatch.setenv("DOCKER_HOST", other.url)
        with closing(DockerEngine.connect()) as engine:
            volumes = volumes_of(engine, run_id)
            image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=print).id
            for stage, digest in digests.items():
                volume = restored_volume(run, stage, volumes, image)
                found: list[str] = []
                there = content_digested(content_of(engine, volumes, image, volume.name, stage), stage, found.append)
                unpack(members(there), stage, tmp_path / "there" / stage)
                unpack(run.volume(stage), stage, tmp_path / "here" / stage)
                engine.remove_volume(volume.name)
                assert (stage, found) == (stage, [digest])

    assert ran.exit_status == 0
    assert digests.keys() == {"build", "check", "user", "work"}
    assert len(set(digests.values())) == len(digests)
    differences = subprocess.run(
        ["diff", "-r", "--no-dereference", tmp_path / "here", tmp_path / "there"], capture_output=True, text=True, check=False
    )
    assert (differences.stdout, differences.returncode) == ("", 0)
