"""How a process keeps a host awake that others may want awake too."""

from __future__ import annotations

import pytest

from dockercise_prefect.aws.kept_awake import LEASE_SECONDS, kept_awake
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from tests.support.aws.moto import Aws

pytestmark = pytest.mark.docker  # for the server

NOW = 1_800_000_000


@pytest.fixture
def parameters(aws: Aws) -> StackParameters:
    """The parameters of a stack whose host may sleep."""
    found = StackParameters(aws.client("ssm"), StackNames())
    found.save_awake_until(0)
    return found


def ignore(_text: str) -> None:
    """Notify nobody."""


def test_the_host_is_awake_while_a_job_runs(parameters: StackParameters) -> None:
    """Inside, the host stays awake for a quarter of an hour, and afterwards it may sleep."""
    with kept_awake(parameters, ignore, lambda: NOW):
        inside = parameters.awake_until()

    assert inside == NOW + LEASE_SECONDS
    assert parameters.awake_until() == 0


def test_a_later_moment_of_somebody_else_stays(parameters: StackParameters) -> None:
    """`aws wake` for a day is neither shortened nor taken back by a job."""
    parameters.save_awake_until(NOW + 86_400)

    with kept_awake(parameters, ignore, lambda: NOW):
        inside = parameters.awake_until()

    assert inside == NOW + 86_400
    assert parameters.awake_until() == NOW + 86_400


def test_an_earlier_moment_of_somebody_else_comes_back(parameters: StackParameters) -> None:
    """Who wanted the host awake for some minutes more than the job still gets them."""
    parameters.save_awake_until(NOW + 300)

    with kept_awake(parameters, ignore, lambda: NOW):
        pass

    assert parameters.awake_until() == NOW + 300


def test_a_moment_that_has_passed_does_not_come_back(parameters: StackParameters) -> None:
    """A moment of the past would only look as if somebody wanted the host."""
    parameters.save_awake_until(NOW - 300)

    with kept_awake(parameters, ignore, lambda: NOW):
        pass

    assert parameters.awake_until() == 0


def test_a_job_does_not_take_the_host_from_another_one(parameters: StackParameters) -> None:
    """A job that ends first leaves the moment of the other, which leaves at most what the first had asked for."""
    second = kept_awake(parameters, ignore, lambda: NOW + 60)
    with kept_awake(parameters, ignore, lambda: NOW):
        second.__enter__()
    between = parameters.awake_until()
    second.__exit__(None, None, None)

    assert between == NOW + 60 + LEASE_SECONDS
    assert parameters.awake_until() == NOW + LEASE_SECONDS


def test_a_job_that_fails_lets_the_host_sleep(parameters: StackParameters) -> None:
    """However the job ends, the moment is taken back."""
    with pytest.raises(ValueError, match="of the job"), kept_awake(parameters, ignore, lambda: NOW):
        raise ValueError("of the job")

    assert parameters.awake_until() == 0
