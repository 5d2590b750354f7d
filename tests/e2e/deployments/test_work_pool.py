"""A Docker work pool made with `deployments/docker/work-pool.json`: flow runs are containers, and stages are their siblings."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from dockercise_prefect.orchestration.prefect.local_server import LocalServer
from dockercise_prefect.orchestration.prefect.secret_blocks import save_secret
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Leftover
from tests.e2e.conftest import Dockercise
from tests.e2e.deployments.conftest import PREFECT, command
from tests.support.deploy_images import ROOT
from tests.support.hosts.git_hosts import http_host
from tests.support.hosts.git_repository import make_bare_repository, make_repository
from tests.support.prefect import prefect_records
from tests.support.prefect.prefect_pages import open_page

pytestmark = pytest.mark.docker

TEMPLATE = ROOT / "deployments/docker/work-pool.json"
DATA = "/var/lib/dockercise"

IMAGE = """\
FROM {ours}
COPY flows /srv/flows
"""

DEPLOYMENTS = """\
pull:
  - prefect.deployments.steps.set_working_directory: {{directory: /srv}}
deployments:
  - {{name: {name}, entrypoint: "flows/hello.py:hello", work_pool: &pool {{name: {name}, job_variables: {{image: {image}}}}}}}
  - {{name: {name}, entrypoint: "flows/slow.py:slow", work_pool: *pool}}
"""

SLOW = """\
meta: {name: slow, defaults: {img: busybox}}
wait: {vol: code, run: sleep 600}
tidy: {run: 'echo "the run is $DOCKERCISE_STATUS"', when: always}
"""


SHOP = """\
meta: {code: {git: true}}
name: {img: busybox, run: echo the shop}
build: {img: busybox, run: 'echo "$(cat /code/pages/index) at $NAME" > "$OUT/page"'}
check: {img: busybox, run: 'echo "$(cat /build/page), $DOCKERCISE_EVENT of $DOCKERCISE_BRANCH"'}
head: {img: busybox, run: cat /code/.git/HEAD}
"""


class Pool:
    """A separate work pool on the session's server, with a volume and an image; `flows` are deployed to it.

    Attributes:
        name: the name of the pool, its deployments, its volume and its image.
        flow_runs: the ids of the flow runs that were created.
    """

    def __init__(self, name: str, api: str, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.flow_runs: list[str] = []
        self._api = api
        self._folder = folder
        # The worker's own settings must not affect its flow runs.
        self._environment = environment | {
            "PREFECT_HOME": str(folder / "prefect"),
            "DOCKERCISE_DATA": str(folder / "data"),
        }

    def make(self, our_image: str) -> None:
        """Do everything that docs/deploying.md describes before the first run."""
        shutil.copytree(ROOT / "flows", self._folder / "flows")
        (self._folder / "flows/slow").mkdir()
        (self._folder / "flows/slow/slow.dockercise.yaml").write_text(SLOW)
        self._run("dockercise_prefect", "compile", "flows/slow", "-o", "flows")
        (self._folder / "Dockerfile").write_text(IMAGE.format(ours=our_image))
        command("docker", "build", "--tag", self.name, self._folder, env={**self._environment, "DOCKER_BUILDKIT": "0"})
        template = self._folder / "work-pool.json"
        template.write_text(TEMPLATE.read_text().replace(f'"dockercise:{DATA}"', f'"{self.name}:{DATA}"'))
        self._run("prefect", "work-pool", "create", self.name, "--type", "docker", "--base-job-template", template)
        (self._folder / "prefect.yaml").write_text(DEPLOYMENTS.format(name=self.name, image=self.name))
        self._run("prefect", "--no-prompt", "deploy", "--all")

    def ask_for(self, flow: str) -> str:
        """Create a flow run, and return its id."""
        deployment = prefect_records.ask(self._api, f"deployments/name/{flow}/{self.name}")
        flow_run: str = prefect_records.ask(self._api, f"deployments/{deployment['id']}/create_flow_run", {})["id"]
        self.flow_runs.append(flow_run)
        return flow_run

    def work(self) -> None:
        """Let a worker do all waiting runs."""
        self._run("prefect", "worker", "start", "--pool", self.name, "--run-once")

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Run a worker while the body runs."""
        words = [*PREFECT, "worker", "start", "--pool", self.name]
        with subprocess.Popen(words, cwd=self._folder, env=self._environment, stdout=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:  # it waits for its flow runs, until an init system kills it
                    process.kill()

    def file(self, pattern: str) -> str:
        """The content of the files below the data folder that match the pattern."""
        volume = f"--volume={self.name}:{DATA}"
        return command("docker", "run", "--rm", volume, "busybox", "sh", "-c", f"cat {DATA}/{pattern}")

    def list(self, folder: str) -> str:
        """The names in a folder below the data folder."""
        volume = f"--volume={self.name}:{DATA}"
        return command("docker", "run", "--rm", volume, "busybox", "ls", f"{DATA}/{folder}")

    def register(self, source: str, *options: str) -> None:
        """Register a repository for the pool."""
        self._run(
            "dockercise_prefect", "register", source, "--work-pool", self.name, "--job-variable", f"image={self.name}", *options
        )

    def remove(self) -> None:
        """Remove all of it, except for the data in Prefect."""
        for flow_run in self.flow_runs:
            found = command("docker", "ps", "--all", "--quiet", f"--filter=label=io.prefect.flow-run-id={flow_run}").split()
            subprocess.run(["docker", "rm", "--force", *found], check=False, capture_output=True)
        for words in (("rmi", self.name), ("volume", "rm", self.name)):
            subprocess.run(["docker", *words], check=False, capture_output=True)

    def _run(self, module: str, *arguments: str | Path) -> None:
        python = PREFECT[0]
        command(python, "-m", module, *arguments, cwd=self._folder, env=self._environment | {"PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def pool(
    our_image: str, server: LocalServer, docker_session: DockerEngine, busybox: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pool]:
    """A pool with two deployments; at the end nothing of it is left on the engine."""
    environment = os.environ | {"PREFECT_API_URL": server.api_url}
    pool = Pool(f"test-{secrets.token_hex(4)}", server.api_url, environment, tmp_path_factory.mktemp("user"))
    try:
        pool.make(our_image)
        yield pool
    finally:
        pool.remove()
        remove_all(docker_session, [each for flow_run in pool.flow_runs for each in _left_by(docker_session, flow_run)])


@pytest.mark.usefixtures("prefect_api")  # Prefect reads its blocks and variables, and would start a server for that
def test_the_template_is_one_that_prefect_docker_understands() -> None:
    """Each key is a field of the worker, each variable is used, and all defaults together are a valid configuration."""
    from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration  # type: ignore[import-untyped]  # it has no types

    template = json.loads(TEMPLATE.read_text())
    asked = set(re.findall(r"{{ (\w+) }}", json.dumps(template["job_configuration"])))

    assert set(template["job_configuration"]) <= set(DockerWorkerJobConfiguration.model_fields)
    assert asked == set(template["variables"]["properties"])
    assert template["job_configuration"].keys() <= DockerWorker.get_default_base_job_template()["job_configuration"].keys()
    configuration = asyncio.run(DockerWorkerJobConfiguration.from_template_and_values(template, {}))
    assert (configuration.image, configuration.auto_remove, configuration.container_create_kwargs) == (
        "dockercise:latest",
        True,
        {"user": "0"},
    )


def test_a_flow_run_is_a_container_and_leaves_nothing(pool: Pool, prefect_api: str, docker_session: DockerEngine) -> None:
    """The compiled module runs in our image as non-root, with stages as siblings; values and volumes are those of every run."""
    flow_run = pool.ask_for("hello")

    pool.work()

    ended = prefect_records.flow_run(prefect_api, flow_run)
    assert (ended.type, ended.message) == ("COMPLETED", None)
    container = _infrastructure(prefect_api, flow_run)
    assert docker_session.running(container) is None
    assert _left_by(docker_session, flow_run) == []
    assert json.loads(pool.file("results/hello/*/deliver.json"))["value"].endswith("the stage sign")
    assert json.loads(pool.file("results/hello/*/summary.json"))["status"] == "passed"


@pytest.mark.alone
def test_a_killed_flow_run_leaves_nothing(
    pool: Pool, prefect_api: str, docker_session: DockerEngine, dockercise_run: Dockercise
) -> None:
    """The flow run's guardian, another container, ends what a killed container left. Other runs leave a living one alone."""
    flow_run = pool.ask_for("slow")
    with pool.worker():
        stage = _waiting(docker_session, flow_run)
        spared = dockercise_run("-C", ROOT / "flows/hello", "greet")
        lives = docker_session.running(stage.id)
        user = command("docker", "exec", container := _infrastructure(prefect_api, flow_run), "stat", "-c", "%U", "/proc/1")
        owners = {each.labels["dockercise.owner"].partition("@")[0] for each in _left_by(docker_session, flow_run)}

        command("docker", "kill", container)

        ended = prefect_records.flow_run(prefect_api, flow_run)
        prefect_records.eventually(lambda: _left_by(docker_session, flow_run), lambda left: left == [])

    assert (spared.exit_status, lives is not None, user) == (0, True, "dockercise\n")
    assert f"container:{container}" in owners
    assert ended.type == "CRASHED"
    summary = json.loads(pool.file(f"results/slow/{ended.name}/summary.json"))
    assert (summary["status"], summary["stages"]["wait"]["status"]) == ("error", "error")
    assert summary["stages"]["tidy"]["status"] == "not_started"


@pytest.mark.alone
def test_a_flow_run_that_is_killed_while_it_is_cancelled_cleans_up(
    pool: Pool, prefect_api: str, docker_session: DockerEngine
) -> None:
    """A worker kills the container of a flow run that takes too long to end. Its guardian runs the clean-up stages."""
    flow_run = pool.ask_for("slow")
    with pool.worker():
        _waiting(docker_session, flow_run)
        container = _infrastructure(prefect_api, flow_run)

        command("docker", "pause", container)  # it does not notice that it is cancelled
        prefect_records.ask(prefect_api, f"flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLING"}})
        command("docker", "kill", container)

        ended = prefect_records.flow_run(prefect_api, flow_run)
        prefect_records.eventually(lambda: _left_by(docker_session, flow_run), lambda left: left == [])

    assert ended.type == "CANCELLED"
    summary = json.loads(pool.file(f"results/slow/{ended.name}/summary.json"))
    assert (summary["status"], summary["stages"]["wait"]["status"]) == ("cancelled", "cancelled")
    assert json.loads(pool.file(f"results/slow/{ended.name}/tidy.json"))["value"] == "the run is cancelled"


def test_a_worker_that_is_shut_down_leaves_its_containers_alone(
    pool: Pool, prefect_api: str, docker_session: DockerEngine
) -> None:
    """A flow run in a container goes on when its worker ends, and notices by itself that it is cancelled."""
    flow_run = pool.ask_for("slow")
    with pool.worker():
        stage = _waiting(docker_session, flow_run)
    lives = docker_session.running(stage.id)

    prefect_records.ask(prefect_api, f"flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLING"}})
    ended = prefect_records.flow_run(prefect_api, flow_run)
    prefect_records.eventually(lambda: _left_by(docker_session, flow_run), lambda left: left == [])

    assert lives is not None
    assert ended.type == "CANCELLED"
    assert json.loads(pool.file(f"results/slow/{ended.name}/tidy.json"))["value"] == "the run is cancelled"


@pytest.mark.browser
def test_a_flow_run_that_is_cancelled_in_the_ui_cleans_up(
    pool: Pool, prefect_api: str, docker_session: DockerEngine, page: Page
) -> None:
    """A flow run in a container that is cancelled in Prefect's UI stops its stages, runs clean-up, and ends as Cancelled."""
    flow_run = pool.ask_for("slow")
    with pool.worker():
        _waiting(docker_session, flow_run)

        button = page.get_by_role("button", name="Cancel", exact=True)
        open_page(page, f"{prefect_api.removesuffix('/api')}/runs/flow-run/{flow_run}", button)
        button.click()
        page.get_by_role("button", name="Confirm").click()

        ended = prefect_records.flow_run(prefect_api, flow_run)
        container = _infrastructure(prefect_api, flow_run)
        prefect_records.eventually(lambda: docker_session.running(container), lambda running: running is None)

    assert ended.type == "CANCELLED"
    summary = json.loads(pool.file(f"results/slow/{ended.name}/summary.json"))
    assert (summary["status"], summary["stages"]["wait"]["status"]) == ("cancelled", "cancelled")
    assert json.loads(pool.file(f"results/slow/{ended.name}/tidy.json"))["value"] == "the run is cancelled"
    assert _left_by(docker_session, flow_run) == []


def test_a_registered_repository_runs_in_containers(
    pool: Pool, prefect_api: str, docker_session: DockerEngine, tmp_path: Path
) -> None:
    """The flow run is a container that checks out the commit, its stages are siblings, and nothing of them is left."""
    work = make_repository(tmp_path / "work", {"shop.dockercise.yaml": SHOP, "pages/index": "Welcome\n"}, branch="main")
    make_bare_repository(tmp_path / "host/shop.git", work)
    token = f"token-of-{pool.name}"
    save_secret(pool.name, token)
    sent = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    with http_host(tmp_path / "host", f"Basic {sent}") as host:
        pool.register(f"{host}/shop.git", "--name", pool.name, "--credentials", pool.name)
        flow_run = pool.ask_for("shop")

        pool.work()

    ended = prefect_records.flow_run(prefect_api, flow_run)
    assert (ended.type, ended.message) == ("COMPLETED", None)
    assert json.loads(pool.file("results/shop/*/check.json"))["value"] == "Welcome at the shop, manual of main"
    assert json.loads(pool.file("results/shop/*/head.json"))["value"] == "ref: refs/heads/main"
    assert docker_session.running(_infrastructure(prefect_api, flow_run)) is None
    assert _left_by(docker_session, flow_run) == []
    assert pool.list("repositories/checkouts") == ""
    assert token not in command("docker", "inspect", pool.name)


def _infrastructure(api: str, flow_run: str) -> str:
    """The id of the flow run's container."""
    found: dict[str, Any] = prefect_records.ask(api, f"flow_runs/{flow_run}")
    return str(found["infrastructure_pid"]).rpartition(":")[2]


def _waiting(engine: DockerEngine, flow_run: str) -> Leftover:
    """The container of the stage `wait`, once it runs."""
    found = prefect_records.eventually(
        lambda: [each for each in _left_by(engine, flow_run) if each.labels.get("dockercise.stage") == "wait"],
        lambda found: any(engine.running(each.id) for each in found),
    )
    return next(each for each in found if engine.running(each.id))


def _left_by(engine: DockerEngine, flow_run: str) -> list[Leftover]:
    return [each for each in engine.leftovers() if each.labels["dockercise.flow_run"] == flow_run]
