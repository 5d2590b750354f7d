"""Fixtures for the tests of `dockercise aws`: an account of AWS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws.ministack import MiniStack, running_ministack
from tests.support.aws.moto import Aws, running_aws
from tests.support.aws.stack_world import StackWorld, environment, running_stack_world
from tests.support.command import Command
from tests.support.hosts.github_server import TOKEN


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """A MiniStack."""
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def ec2() -> Iterator[Aws]:
    """A moto that serves EC2."""
    with running_aws() as running:
        yield running


@pytest.fixture
def aws_world(
    ministack: MiniStack, ec2: Aws, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StackWorld]:
    """A stack that can be made, and a token for GitHub."""
    for name, value in environment(ministack, ec2).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    for module in ("readiness", "changing"):  # these servers do everything at once
        monkeypatch.setattr(f"dockercise_prefect.aws.operating.{module}.POLL_SECONDS", 0.1)
    with running_stack_world(command) as world:
        yield world
        world.client("cloudformation").delete_stack(StackName=world.names.stack)
