"""Fixtures for the tests of the stack: AWS on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.aws.moto import Aws, running_aws


@pytest.fixture
def aws() -> Iterator[Aws]:
    """An empty AWS."""
    with running_aws() as running:
        yield running
