"""The errors in docs/deploying.md really occur, with the same messages."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.deployments.conftest import PREFECT
from tests.support.deploy_images import ROOT
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker

PAGE = (ROOT / "docs/deploying.md").read_text()
DEPLOYMENTS = """\
pull: [{{prefect.deployments.steps.set_working_directory: {{directory: /srv}}}}]
deployments:
  - name: {pool}
    entrypoint: flows/hello.py:hello
    schedules: []
    work_pool: {{name: {pool}, job_variables: {{image: {image}, networks: {networks}, volumes: []}}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the flows, from which they are deployed."""
    (tmp_path / "flows").symlink_to(ROOT / "flows")
    return tmp_path


@pytest.fixture
def environment(prefect_api: str, tmp_path: Path) -> dict[str, str]:
    """The session's server."""
    return os.environ | {"PREFECT_API_URL": prefect_api, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def pool(environment: dict[str, str]) -> Iterator[str]:
    """The name of a pool that does not exist yet, and is removed at the end."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    said([*PREFECT, "work-pool", "delete", name], environment)


@pytest.fixture
def docker_pool(pool: str, environment: dict[str, str]) -> str:
    """A pool made with our template."""
    template = str(ROOT / "deployments/docker/work-pool.json")
    said([*PREFECT, "work-pool", "create", pool, "--type", "docker", "--base-job-template", template], environment)
    return pool


@pytest.fixture
def network() -> Iterator[str]:
    """A network of the engine."""
    name = f"dockercise-test-{secrets.token_hex(4)}"
    subprocess.run(["docker", "network", "create", name], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "network", "rm", name], check=True, capture_output=True)


def said(words: list[str], environment: Mapping[str, str], folder: Path | None = None) -> str:
    """All output of a command, whether it succeeded or not, on one line."""
    done = subprocess.run(
        words,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, "COLUMNS": "500"},
        cwd=folder,
        timeout=300,
    )
    return " ".join(done.stdout.split())


def told(words: str, pool: str = "") -> str:
    """The words on the page, with the name of another pool."""
    assert f"`{words}`" in PAGE
    return words.replace("'dockercise'", f"'{pool}'").replace("'containers'", f"'{pool}'")


def deploy(project: Path, environment: Mapping[str, str], pool: str, *, image: str = "", networks: str = "[]") -> str:
    """The output of the deployment's command for a deployment to the pool."""
    (project / "prefect.yaml").write_text(DEPLOYMENTS.format(pool=pool, image=image, networks=networks))
    return said([*PREFECT, "deploy", "--all"], environment, project)


def work(project: Path, environment: Mapping[str, str], pool: str) -> tuple[str, prefect_records.FlowRunRecord]:
    """The output of a worker that does one run of the deployment, and how the run ended."""
    api = environment["PREFECT_API_URL"]
    deployment = prefect_records.ask(api, f"deployments/name/hello/{pool}")
    flow_run = prefect_records.ask(api, f"deployments/{deployment['id']}/create_flow_run", {})
    log = said([*PREFECT, "worker", "start", "--pool", pool, "--run-once"], environment, project)
    return log, prefect_records.flow_run(api, flow_run["id"])


def test_a_user_who_may_not_use_the_socket(our_image: str, environment: dict[str, str]) -> None:
    """Without the socket's group, the user of the image reaches no engine, and the message has the reason."""
    options = ["--volume=/var/run/docker.sock:/var/run/docker.sock", f"--volume={ROOT}/flows:/srv/flows:ro"]

    log = said(["docker", "run", "--rm", *options, our_image, "dockercise", "run", "-C", "/srv/flows/hello"], environment)

    assert told("no Docker engine answers at unix:///var/run/docker.sock (the default socket): Permission denied") in log


def test_a_pool_that_is_not_there(project: Path, environment: dict[str, str], pool: str, prefect_api: str) -> None:
    """A deployment to a missing pool reports it; a worker of that pool creates one of another type than intended."""
    deploying = deploy(project, environment, pool)
    working = said([*PREFECT, "worker", "start", "--pool", pool, "--run-once"], environment, project)

    assert told("references work pool 'dockercise' which does not exist", pool) in deploying
    assert told("Work pool 'containers' does not exist and no worker type was provided", pool) in working
    assert prefect_records.ask(prefect_api, f"work_pools/{pool}")["type"] == "process"


def test_an_image_that_is_not_there(project: Path, environment: dict[str, str], docker_pool: str) -> None:
    """The worker tries to pull the image, and the run crashes."""
    image = "127.0.0.1:9/nowhere/dockercise:latest"
    deploy(project, environment, docker_pool, image=image)

    log, ended = work(project, environment, docker_pool)

    assert told("Pulling image 'dockercise:latest'").replace("dockercise:latest", image) in log
    assert ended.type == "CRASHED"
    assert told("Failed to submit flow run to infrastructure") in (ended.message or "")


def test_a_server_that_containers_do_not_reach(
    project: Path, environment: dict[str, str], docker_pool: str, our_image: str, network: str
) -> None:
    """A container in its own network cannot reach a server at this machine's own address."""
    deploy(project, environment, docker_pool, image=our_image, networks=f"[{network}]")

    log, ended = work(project, environment, docker_pool)

    assert told("All connection attempts failed") in log
    assert ended.type == "CRASHED"
    assert told("exited with non-zero status code 1") in (ended.message or "")
