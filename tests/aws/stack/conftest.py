"""Fixtures for the tests of the stack. The tests of a module share a server, and each has a stack of its own on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.aws.stack.door_world import DoorWorld, door_world
from tests.support.aws.ministack import MiniStack, running_ministack
from tests.support.aws.moto import Aws, running_aws

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS that is empty at the beginning of a module."""
    with running_aws() as running:
        yield running


@pytest.fixture
def stack() -> str:
    """The name of a new stack."""
    return f"dockercise-{next(_numbers)}"


@pytest.fixture
def world(aws: Aws, stack: str) -> Iterator[DoorWorld]:
    """A door, and what it needs."""
    with door_world(aws, stack) as made:
        yield made


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """An AWS that is empty at the beginning."""
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as running:
        yield running
