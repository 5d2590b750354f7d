"""Fixtures for the tests of `dockercise aws`: an account of AWS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dockercise_prefect.aws.report import Phase, Report
from dockercise_prefect.cli import dockercise
from tests.support.aws.ministack import MiniStack, running_ministack
from tests.support.aws.separate_aws import separate_aws
from tests.support.aws.stack_world import PACKAGE, StackWorld, environment, running_stack_world
from tests.support.command import Command, Outcome
from tests.support.hosts.github_server import TOKEN


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """A MiniStack."""
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def ec2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a moto that serves EC2. In its own process, since all moto servers of one process share their state."""
    with separate_aws(tmp_path_factory.mktemp("moto") / "log") as (url, _):
        yield url


@pytest.fixture
def account(ministack: MiniStack, ec2: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for both servers, and a token for GitHub."""
    _enter(ministack, ec2, monkeypatch)
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


@pytest.fixture
def aws_world(account: None, command: Command) -> Iterator[StackWorld]:
    """A stack that can be made."""
    with running_stack_world(command) as world:
        yield world
        world.client("cloudformation").delete_stack(StackName=world.names.stack)


@pytest.fixture(scope="session")
def standing(ministack: MiniStack, ec2: str) -> Iterator[StackWorld]:
    """A stack that is up for all tests that leave it as it is."""

    def call(*arguments: str) -> Outcome:
        done = CliRunner().invoke(dockercise, arguments)
        return Outcome(done.exit_code, done.stdout, done.stderr)

    with ExitStack() as stack:
        # The variables must not stay set for the tests of other folders that come later in this process.
        with pytest.MonkeyPatch.context() as patch:
            _enter(ministack, ec2, patch)
            world = stack.enter_context(running_stack_world(call))
            assert world.up().status == 0
        yield world


@pytest.fixture
def stack(standing: StackWorld, account: None, command: Command) -> Iterator[StackWorld]:
    """The same for one test, with the host awake, and no repository afterwards."""
    world = replace(standing, call=command)
    world.client("ec2").start_instances(InstanceIds=[world.instance])
    yield world
    world.host.refused.clear()
    world.host.is_silent = False
    parameters, sqs = world.parameters(), world.client("sqs")
    parameters.save_awake_until(0)
    parameters.save_wake_at(None)
    parameters.save_report(Report(phase=Phase.IDLE, package=PACKAGE))
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=world.names.queue)["QueueUrl"])
    for one in parameters.repositories():
        parameters.remove_repository(one.name)
    for name in parameters.secrets():
        parameters.remove_secret(name)


def _enter(ministack: MiniStack, ec2: str, patch: pytest.MonkeyPatch) -> None:
    for name, value in environment(ministack, ec2).items():
        patch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)
    for module in ("readiness", "changing"):  # these servers do everything at once
        patch.setattr(f"dockercise_prefect.aws.operating.{module}.POLL_SECONDS", 0.1)
