"""Fixtures that give the same test one engine after the other, and check that nothing of it is left there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from scripts.busybox import REPOSITORY, TAG, ensure_busybox
from tests.engines.scripted import BUSYBOX, ScriptedEngine

ENGINES = ("scripted", pytest.param("docker", marks=pytest.mark.docker))


@pytest.fixture
def run_id() -> str:
    """The label `dockercise.run` of everything that a test makes on an engine."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def labels(run_id: str) -> Mapping[str, str]:
    """Labels for things that the test makes itself."""
    return {"dockercise.run": run_id, "dockercise.stage": "test"}


@pytest.fixture
def scripted() -> ScriptedEngine:
    """An engine in memory."""
    return ScriptedEngine()


@pytest.fixture
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the files of an engine, with a short path because sockets need one."""
    folder = Path(f"/tmp/dkt-{os.getpid()}-{tmp_path_factory.getbasetemp().name}")
    yield folder
    assert not folder.exists()


@pytest.fixture(scope="session")
def docker_session() -> Iterator[DockerEngine]:
    """The real engine, with the image of the tests on it."""
    client, _ = connect()
    with closing(client):
        if not client.images(BUSYBOX):
            ensure_busybox(client)
            repository, _, tag = BUSYBOX.partition(":")
            client.tag(f"{REPOSITORY}:{TAG}", repository, tag)
    with closing(DockerEngine.connect()) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _image_of_the_tests(request: pytest.FixtureRequest) -> None:
    """Every test that uses the real engine finds the image on it, whichever test comes first."""
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("docker_session")


@pytest.fixture
def docker_engine(docker_session: DockerEngine, run_id: str) -> Iterator[DockerEngine]:
    """The real engine; the test fails if it leaves something on it."""
    yield docker_session
    left = [leftover for leftover in docker_session.leftovers() if leftover.labels["dockercise.run"] == run_id]
    remove_all(docker_session, left)
    assert left == []


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn: always the scripted one, and Docker if the marker allows it."""
    name = "scripted" if request.param == "scripted" else "docker_engine"
    return cast("Engine", request.getfixturevalue(name))


@pytest.fixture
def image(engine: Engine) -> ResolvedImage:
    """The image that both engines have: busybox, PATH=/bin."""
    return engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
