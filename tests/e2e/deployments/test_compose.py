"""`deployments/compose`: one command starts Prefect on Postgres, a worker and the receiver of pushes."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Leftover
from tests.e2e.deployments.conftest import command
from tests.support.deploy_images import ROOT
from tests.support.killing import left_on
from tests.support.prefect.prefect_records import eventually
from tests.webhook.payloads import github_push, github_sent

pytestmark = pytest.mark.docker

SERVICES = ("database", "server", "worker", "webhook")
SECRET = "what the host and we know"
SHOP = "/var/lib/dockercise/shop"
STOPPING = """\
wait: {img: busybox, run: sleep 600}
tidy: {img: busybox, run: "echo the run is $DOCKERCISE_STATUS", when: always}
"""
LOGIN = "somebody:pass word/@:"


class Stack:
    """The compose file of another checkout, in the state after a user has written `.env`.

    Attributes:
        port: the port of Prefect.
        webhook: the port for pushes.
    """

    def __init__(self, checkout: Path, our_image: str, postgres_image: str) -> None:
        self._project = f"dockercise-test-{secrets.token_hex(4)}"
        self.port, self.webhook = _free_ports(2)
        for name in ("deployments", "flows"):
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        self._folder = checkout / "deployments/compose"
        settings = {
            "COMPOSE_PROJECT_NAME": self._project,
            "POSTGRES_PASSWORD": "a/b@c:d e",
            "PREFECT_LOGIN": LOGIN,
            "PREFECT_PORT": f"127.0.0.1:{self.port}",
            "WEBHOOK_PORT": f"127.0.0.1:{self.webhook}",
            "WEBHOOK_SECRET": SECRET,
            "DOCKERCISE_IMAGE": our_image,
            "POSTGRES_IMAGE": postgres_image,
        }
        example = (self._folder / ".env.example").read_text()
        for name, value in settings.items():
            example, found = re.subn(rf"^{name}=.*$", f"{name}={value}", example, flags=re.MULTILINE)
            assert found == 1, name
        (self._folder / ".env").write_text(example)

    def compose(self, *words: str) -> str:
        """The output of docker-compose."""
        return command("docker-compose", "--no-ansi", *words, cwd=self._folder, env=_bare_environment())

    def in_worker(self, *words: str) -> str:
        """The output of a command in the worker's container, as its user."""
        return self.compose("exec", "-T", "--user", "dockercise", "worker", *words)

    def up(self) -> None:
        """Start all services, and wait until they are healthy."""
        self.compose("up", "--detach", "--no-build")
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Wait until every health check passes."""
        healthy = dict.fromkeys(SERVICES, "healthy")
        try:
            eventually(self._health, lambda found: found == healthy)
        except AssertionError as error:
            error.add_note(self.compose("logs", "--no-color", "--tail=100"))
            raise

    def left(self) -> list[str]:
        """Everything of it that is still on the engine."""
        label = f"--filter=label=com.docker.compose.project={self._project}"
        containers = command("docker", "ps", "--all", "--quiet", label).split()
        others = [command("docker", kind, "ls", "--quiet", label).split() for kind in ("network", "volume")]
        return [*containers, *others[0], *others[1]]

    def _health(self) -> dict[str, str]:
        return {name: self._health_of(name) for name in SERVICES}

    def _health_of(self, service: str) -> str:
        (container,) = self.compose("ps", "-q", service).split()
        return command("docker", "inspect", "--format", "{{.State.Health.Status}}", container).strip()


def _free_ports(count: int) -> list[int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in listening]
    for each in listening:
        each.close()
    return ports


def _bare_environment() -> dict[str, str]:
    """Only the variables that are needed to find the engine and the command: any variable would override `.env`."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith("DOCKER_")}


@pytest.fixture(scope="module")
def stack(our_image: str, postgres_image: str, busybox: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The services, healthy; at the end nothing of them is left, volumes included."""
    stack = Stack(tmp_path_factory.mktemp("checkout"), our_image, postgres_image)
    try:
        stack.up()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans")
    assert stack.left() == []


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    """The services, with the flows of the repository deployed."""
    stack.in_worker("prefect", "deploy", "--all")
    return stack


def status(url: str) -> int:
    """The status that a server gives a client without a login."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  the test's own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_everything_comes_up_and_asks_who_is_there(stack: Stack) -> None:
    """Prefect's page and its health need no login, its API does, and the worker does not run as root."""
    prefect = f"http://127.0.0.1:{stack.port}"

    answers = {path: status(f"{prefect}/{path}") for path in ("", "api/health", "api/work_pools/dockercise")}
    who = stack.compose("exec", "-T", "worker", "stat", "-c", "%U", "/proc/1")

    assert answers == {"": 200, "api/health": 200, "api/work_pools/dockercise": 401}
    assert who == "dockercise\n"


@pytest.mark.parametrize("missing", ["PREFECT_LOGIN", "POSTGRES_PASSWORD"])
def test_nothing_starts_without_a_login(missing: str, tmp_path: Path) -> None:
    """An empty login, or an empty password of the database, is refused before anything starts; the error names it."""
    example = (ROOT / "deployments/compose/.env.example").read_text()
    filled = example.replace("POSTGRES_PASSWORD=", "POSTGRES_PASSWORD=x").replace("PREFECT_LOGIN=", "PREFECT_LOGIN=a:b")
    (tmp_path / ".env").write_text(re.sub(rf"^{missing}=.*$", f"{missing}=", filled, flags=re.MULTILINE))
    shutil.copy(ROOT / "deployments/compose/compose.yaml", tmp_path)

    refused = subprocess.run(
        ["docker-compose", "config"], check=False, capture_output=True, text=True, cwd=tmp_path, env=_bare_environment()
    )

    assert refused.returncode != 0
    assert missing in refused.stderr
    assert ".env" in refused.stderr


def test_other_sites_get_no_answers(stack: Stack) -> None:
    """A page of another origin cannot read the API's answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{stack.port}/api/health", headers={"Origin": "http://evil.example"})

    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  as above
        allowed = answer.headers.get("Access-Control-Allow-Origin")

    assert allowed is None


def test_flows_are_deployed_and_run(deployed: Stack) -> None:
    """The stages of the worker's runs are containers next to the worker, and their records are in the volume."""
    deployed.in_worker("prefect", "deployment", "run", "hello/hello", "--watch")

    (record,) = _summaries(deployed)
    assert record["status"] == "passed"


@pytest.mark.acceptance
def test_it_survives_a_restart_of_the_database(deployed: Stack) -> None:
    """The server finds the database again by itself, with all its data, and the worker continues."""
    before = len(_summaries(deployed))
    deployed.compose("restart", "database")
    deployed.wait_until_healthy()

    deployed.in_worker("prefect", "deployment", "run", "hello/hello", "--watch")

    assert [each["status"] for each in _summaries(deployed)[before:]] == ["passed"]


def test_a_push_starts_a_run(stack: Stack) -> None:
    """A repository is registered from the worker; a push to it runs, and the receiver reports that the run passed."""
    stack.in_worker("sh", "-e", "-c", f"mkdir {SHOP} && cd {SHOP} && git init -q -b main && {_commit('run: echo one')}")
    stack.in_worker("dockercise", "register", SHOP)
    before = stack.in_worker("git", "-C", SHOP, "rev-parse", "HEAD").strip()
    after = stack.in_worker("sh", "-e", "-c", f"cd {SHOP} && {_commit('run: echo two')} && git rev-parse HEAD").strip()
    text = json.dumps(github_push("ada/shop", branch="main", before=before, after=after))
    payload = json.loads(text.replace("https://github.com/ada/shop.git", f"file://{SHOP}"))
    sent = github_sent(payload, secret=SECRET)

    request = urllib.request.Request(f"http://127.0.0.1:{stack.webhook}", sent.body, dict(sent.headers))
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  as above
        assert answer.status == 202
    eventually(lambda: stack.compose("logs", "--no-color", "webhook"), lambda log: "passed" in log)

    value = stack.in_worker("sh", "-c", "cat /var/lib/dockercise/results/shop/*/greet.json")
    assert json.loads(value)["value"] == "two"


def test_a_worker_that_is_stopped_ends_its_runs(stack: Stack, docker_session: DockerEngine) -> None:
    """With the worker's container all its processes end. The guardian is another container, so clean-up stages run."""
    folder = "/var/lib/dockercise/stopping"
    written = f"printf '%s' '{STOPPING}' > stopping.dockercise.yaml"
    committed = "git add . && git -c user.name=Ada -c user.email=ada@example.org commit -q -m Begin"
    stack.in_worker("sh", "-e", "-c", f"mkdir {folder} && cd {folder} && git init -q -b main && {written} && {committed}")
    stack.in_worker("dockercise", "register", folder)
    stack.in_worker("prefect", "deployment", "run", "stopping/stopping")
    eventually(lambda: left_on(docker_session, "stopping"), lambda left: _runs(docker_session, left, "wait"))

    stack.compose("stop", "worker")

    eventually(lambda: left_on(docker_session, "stopping"), lambda left: left == [])
    stack.compose("start", "worker")
    stack.wait_until_healthy()
    summary = json.loads(stack.in_worker("sh", "-c", "cat /var/lib/dockercise/results/stopping/*/summary.json"))
    tidy = json.loads(stack.in_worker("sh", "-c", "cat /var/lib/dockercise/results/stopping/*/tidy.json"))
    assert (summary["status"], tidy["value"]) == ("cancelled", "the run is cancelled")


def _runs(engine: DockerEngine, left: list[Leftover], stage: str) -> bool:
    return any(each.labels.get("dockercise.stage") == stage and engine.running(each.id) is not None for each in left)


def _commit(script: str) -> str:
    """Commands that commit a pipeline of one stage."""
    who = "-c user.name=Ada -c user.email=ada@example.org"
    written = f"printf 'greet:\\n  img: busybox\\n  {script}\\n' > shop.dockercise.yaml"
    return f"{written} && git add . && git {who} commit -q -m Change"


def _summaries(stack: Stack) -> list[dict[str, str]]:
    texts = stack.in_worker(
        "sh",
        "-c",
        "for f in /var/lib/dockercise/results/hello/*/summary.json; do [ ! -e $f ] || { cat $f; echo; echo ---; }; done",
    )
    return [json.loads(text) for text in texts.split("---\n")[:-1]]
