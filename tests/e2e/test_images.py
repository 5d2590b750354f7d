"""Images that stages build or leave, as seen in a user's shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.engine_client import engine_client
from tests.support.inspection import InspectionRecorder

pytestmark = pytest.mark.docker

PIPELINE = """\
first:
  build: {context: app, args: {GREETING: hello}}
second:
  img: first
  env: [first, TOKEN]
  run: |
    test -n "$FIRST" && test -n "$TOKEN"
    echo "#!/bin/sh
    cat /greeting" >/bin/greet
    chmod +x /bin/greet
third:
  img: second
  run: test -z "$TOKEN" && greet
"""

DOCKERFILE = """\
FROM busybox AS words
ARG GREETING
RUN echo "$GREETING from an image" >/greeting
FROM busybox
COPY --from=words /greeting /greeting
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for one pipeline; at the end none of its containers, volumes, networks and images may be left."""
    root = tmp_path / f"pipeline-{tmp_path.name}"
    (root / "app").mkdir(parents=True)
    (root / "p.dockercise.yaml").write_text(PIPELINE)
    (root / "app/Dockerfile").write_text(DOCKERFILE)
    yield root
    ours = {"label": f"dockercise.pipeline={root.name}"}
    with closing(engine_client()) as client:
        left = [
            *client.api.containers(all=True, filters=ours),
            *(client.api.volumes(filters=ours)["Volumes"] or []),
            *client.api.networks(filters=ours),
            *client.api.images(all=True, filters=ours),
        ]
    assert left == []


def images(ids: list[str]) -> list[str]:
    """The given images that the engine still has."""
    with closing(engine_client()) as client:
        there = {image["Id"] for image in client.api.images(all=True)}
    return [id_ for id_ in ids if id_ in there]


def test_build_install_test(dockercise_run: Dockercise, folder: Path) -> None:
    """One stage builds an image, the next installs into it, and the third tests it; none of the images is left afterwards."""
    with InspectionRecorder() as seen:
        said = dockercise_run("-C", folder, TOKEN="t0ps3cret")

    assert said.exit_status == ExitStatus.DONE, said.stderr
    assert "third  │ hello from an image" in said.stderr
    assert "first  │ Step 1/" in said.stderr
    digests = [str(said.stages[name]["image_digest"]) for name in ("first", "second", "third")]
    assert digests[0] == digests[1] != digests[2]
    assert images(digests) == []
    assert {"second", "third"} <= seen.stages
    assert "t0ps3cret" not in seen.text


def test_a_dockerfile_step_that_fails(dockercise_run: Dockercise, folder: Path) -> None:
    """The stage fails with the step's exit code and last lines, and stages that need the image do not start."""
    (folder / "app/Dockerfile").write_text("FROM busybox\nRUN echo no such package; exit 7\n")

    said = dockercise_run("-C", folder, TOKEN="x")

    assert said.exit_status == ExitStatus.STAGE_FAILED, said.stderr
    assert (said.stages["first"]["status"], said.stages["first"]["exit_code"]) == ("failed", 7)
    assert "no such package" in said.stages["first"]["message"]
    assert {said.stages[name]["status"] for name in ("second", "third")} == {"not_started"}


def test_a_dockerfile_that_is_not_there(dockercise_run: Dockercise, folder: Path) -> None:
    """The missing file is named, with the place where it was expected."""
    (folder / "app/Dockerfile").rename(folder / "app/Containerfile")

    said = dockercise_run("-C", folder, TOKEN="x")

    assert said.exit_status == ExitStatus.ENGINE_FAILED
    assert "there is no Dockerfile `Dockerfile` in `app` in the code" in said.stderr
