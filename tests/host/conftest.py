"""Fixtures for the tests of the host: AWS on loopback, and the queues of a stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host.queues import Queues
from tests.support.aws.moto import Aws, running_aws


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS for the tests of one module."""
    with running_aws() as running:
        yield running


@pytest.fixture
def queues(aws: Aws) -> Iterator[Queues]:
    """New queues for one test."""
    made = Queues.make(aws)
    yield made
    made.remove()
