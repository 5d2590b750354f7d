"""Where the attempts of a test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dockercise_prefect.runtime.stage.attempt import run_attempt
from tests.runtime import workspaces
from tests.runtime.attempt_process import in_a_process


@pytest.fixture(params=[run_attempt, in_a_process], ids=["here", "in a process"])
def attempts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each attempt is made here, or in a fresh process that has its job and the addresses of the ports, and nothing else."""
    token = workspaces.ATTEMPT.set(request.param)
    yield
    workspaces.ATTEMPT.reset(token)
