"""Pipelines of other systems, translated, and run in the situations that such pipelines are written for."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.settings import read_settings
from tests.compiler.sources import findings, lint_codes
from tests.e2e.migrations.situation import HERE, SYSTEMS, Situation, situations
from tests.e2e.migrations.world import make_world, run_it
from tests.engines.scripted import BUSYBOX
from tests.support.aws.aws_image import ensure_aws_image
from tests.support.engine_client import engine_client


@pytest.fixture
def names() -> Iterator[dict[str, str]]:
    """Images that every machine of the tests has, and a volume of the engine that is removed at the end."""
    volume = f"migrations-{uuid.uuid4().hex[:8]}"
    yield {"alpine:3.22": BUSYBOX, "alpine/git:2.49": ensure_aws_image(), "kept:/": f"{volume}:/"}
    with closing(engine_client()) as client:
        for left in client.volumes.list(filters={"name": volume}):
            left.remove()


@pytest.mark.docker
@pytest.mark.parametrize("situation", situations(), ids=str)
def test_a_translated_pipeline_does_what_the_original_does(  # noqa: PLR0917  fixtures
    situation: Situation,
    names: dict[str, str],
    docker_session: DockerEngine,
    prefect_api: str,
    data_folder: Path,
    tmp_path: Path,
) -> None:
    """In each situation each stage ends as its original would, after as many attempts, and has printed what it should."""
    root = make_world(tmp_path / "repository", situation, names)
    settings = replace(read_settings(), results=str(tmp_path / "results"), data=data_folder, jobs=4)

    ran = run_it(root, situation, settings, docker_session)

    assert (ran.stages, ran.summary.status.value) == (situation.stages, situation.ends), ran.messages
    assert ran.attempts == situation.attempts
    for stage, pattern in situation.prints.items():
        assert re.fullmatch(pattern, ran.printed(stage)), (stage, ran.printed(stage))
    for stage, pattern in situation.logs.items():
        assert re.search(pattern, ran.log(stage), re.MULTILINE), (stage, ran.log(stage))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_linter_has_nothing_to_say_about_a_translation(system: str) -> None:
    """A translation is as one should write it: no finding of the compiler or the linter."""
    assert lint_codes((HERE / system / "ci.dockercise.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("system", "called"),
    [
        ("argo", "Kubernetes"),
        ("circleci", "CircleCI"),
        ("concourse", "Concourse"),
        ("drone", "Drone"),
        ("gitlab", "GitLab CI"),
        ("woodpecker", "Woodpecker"),
    ],
)
def test_an_original_is_recognized(system: str, called: str) -> None:
    """If a user gives the original our ending, the first finding says which system it was written for."""
    found = findings(a=(HERE / system / "original.yml").read_text())

    assert found[0].message == f"this was written for {called}: nothing in it is a stage"
