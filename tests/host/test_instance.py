"""The host on a machine of its own: systemd, an engine, and a volume that is kept while it sleeps."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.aws.report import Phase
from scripts.busybox import ensure_busybox
from scripts.engine import ensure_engine
from tests.host.account import NAME, STACK, Account, account
from tests.support.aws.instance import RELEASE, Instance, instance
from tests.support.deploy_images import ROOT
from tests.support.hosts.git_repository import git, make_bare_repository, make_repository
from tests.webhook.payloads import github_push, github_sent
from tests.webhook.world import eventually

pytestmark = [pytest.mark.docker, pytest.mark.acceptance]

PIPELINE = 'greet: {img: busybox, run: echo "hello from the host"}\n'
REPOSITORY = "/srv/git/infra.git"


@pytest.fixture
def stack() -> Iterator[Account]:
    """An account with a stack that knows one repository."""
    with account() as made:
        yield made


@pytest.fixture
def machine(stack: Account) -> Iterator[Instance]:
    """The instance of the stack, as a new one is: stopped, with a blank volume."""
    with instance(stack.environment) as made:
        yield made


def add_release(machine: Instance, folder: Path) -> None:
    """Add this project to the packages that the machine has, as the script of the first boot does it."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    machine.put(f"/root/{wheel.name}", wheel.read_bytes())
    machine.run(f"{RELEASE}/bin/pip", "install", "--quiet", "--no-index", "--no-deps", f"/root/{wheel.name}")
    machine.run("ln", "-s", RELEASE, "/opt/dockercise/current")


def add_repository(machine: Instance, stack: Account, folder: Path) -> str:
    """A repository on the disk of the machine, which the host registers. Returns its commit."""
    source = make_repository(folder / "infra", {"a.dockercise.yaml": PIPELINE}, branch="main")
    bare = make_bare_repository(folder / "infra.git", source)
    for file in bare.rglob("*"):
        if file.is_file():
            machine.put(f"{REPOSITORY}/{file.relative_to(bare)}", file.read_bytes())
    machine.run("mkdir", "-p", f"{REPOSITORY}/refs/heads", f"{REPOSITORY}/objects/info")
    machine.run("chown", "-R", "9200:9200", REPOSITORY)
    stack.add_repository(f"file://{REPOSITORY}")
    return git(source, "rev-parse", "HEAD")


def is_ready(stack: Account) -> bool:
    """Whether the host has registered its repository."""
    report = stack.parameters.report()
    return report is not None and NAME in report.repositories and report.repositories[NAME].state == "ready"


def first_run(stack: Account, machine: Instance, folder: Path) -> str:
    """Set the machine up, let it run a first push, and wait until it sleeps. Returns the commit."""
    ensure_busybox(ensure_engine())
    machine.start()
    add_release(machine, folder / "dist")
    commit = add_repository(machine, stack, folder)
    stack.parameters.save_awake_until(int(time.time()) + 3600)
    machine.run(f"{RELEASE}/bin/dockercise", "host", "install", "--stack", STACK)
    eventually(lambda: is_ready(stack), 300, every=0.5)
    machine.load("busybox:latest")
    stack.queues.push(github_sent(github_push("acme/infra", after=commit)))
    stack.parameters.save_awake_until(0)
    machine.wait_until_stopped()
    return commit


def test_a_push_becomes_a_run_and_the_host_sleeps(stack: Account, machine: Instance, tmp_path: Path) -> None:
    """A push in the queue becomes a passed run, with its record in the bucket and its log; then the host powers itself off."""
    commit = first_run(stack, machine, tmp_path)

    assert [(summary["status"], summary["error"]) for summary in stack.summaries()] == [("passed", None)]
    assert stack.queues.opened().waiting() == 0
    report = stack.parameters.report()
    assert report is not None
    assert (report.phase, report.error, report.last_push and report.last_push.commit) == (Phase.STOPPING, None, commit)
    assert stack.parameters.wake_at() is None
    lines = [line for stream in stack.aws.log_streams(stack.config.log_group).values() for line in stream]
    assert "hello from the host" in lines
    (own,) = stack.aws.log_streams(stack.config.host_log_group).values()
    assert any("is registered as" in line for line in own)


def test_the_host_goes_on_when_it_is_started_again(stack: Account, machine: Instance, tmp_path: Path) -> None:
    """What the host had is there after its sleep: the next push runs at once, without another set-up or registration."""
    commit = first_run(stack, machine, tmp_path)
    stack.queues.push(github_sent(github_push("acme/infra", after=commit, another=True)))

    machine.start()
    eventually(lambda: len(stack.summaries()) == 2, 300, every=0.5)
    machine.wait_until_stopped()

    assert [summary["status"] for summary in stack.summaries()] == ["passed", "passed"]
    (own,) = stack.aws.log_streams(stack.config.host_log_group).values()
    assert len([line for line in own if "is registered as" in line]) == 1


def test_killed_in_the_middle(stack: Account, machine: Instance, tmp_path: Path) -> None:
    """The receiver, Prefect and the machine are killed right after pushes: each push becomes exactly one run."""
    commit = first_run(stack, machine, tmp_path)
    machine.start()

    def push(number: int) -> None:
        stack.queues.push(
            github_sent(github_push("acme/infra", after=commit, compare=f"https://x/{number}"), identity=f"push-{number}")
        )

    push(1)
    machine.run("systemctl", "kill", "--signal=KILL", "dockercise-webhook")
    push(2)
    machine.run("systemctl", "kill", "--signal=KILL", "dockercise-prefect", "dockercise-worker")
    push(3)
    machine.run("systemctl", "kill", "--signal=KILL", "dockercise-host")
    push(4)
    machine.pull_the_plug()
    machine.start()
    push(5)
    machine.wait_until_stopped()

    assert stack.queues.opened().waiting() == 0
    assert len(stack.summaries()) == 1 + 5
    assert {summary["status"] for summary in stack.summaries()} == {"passed"}
