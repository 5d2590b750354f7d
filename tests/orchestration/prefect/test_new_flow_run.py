"""Flow runs that the command creates, behind a connection that loses and spoils answers."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from prefect import flow, tags
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.prefect.new_flow_run import new_flow_run
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign, sign_now
from tests.faults.plan import Fault, Kind, Plan
from tests.faults.proxy import port_proxy
from tests.support.killing import flow_runs_of

pytestmark = pytest.mark.docker  # for the Prefect server


@flow(name="made-once", retries=0)
def _made_once(targets: list[str] | None = None) -> None:
    """A flow that nobody runs."""


@contextmanager
def _with_fault(api: str, fault: Fault) -> Iterator[list[str]]:
    """Requests to Prefect go through a proxy with one fault. Gives what it has done."""
    with port_proxy(api) as proxy, temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
        yield proxy.follow(Plan(0, (fault,))).done


@pytest.mark.parametrize("kind", [Kind.LOSE, Kind.CUT, Kind.GARBLE, Kind.REFUSE, Kind.DROP])
@pytest.mark.parametrize("of", ["POST .*/flow_runs/", "POST .*/flows/"])
def test_there_is_one_flow_run(prefect_api: str, kind: Kind, of: str) -> None:
    """If an answer is lost or cannot be read, there is still one flow run, and it is the one that is returned."""
    name = uuid.uuid4().hex
    given: dict[str, Any] = {"targets": ["a"]}

    with _with_fault(prefect_api, Fault(kind, of)) as done, tags(f"pipeline:{name}"):
        made = new_flow_run(_made_once, given)

    (found,) = flow_runs_of(prefect_api, name)
    assert len(done) == 1
    assert (found["id"], found["state_type"], found["parameters"]) == (str(made.id), "PENDING", given)
    assert made.parameters == given


@pytest.mark.parametrize("status", [500, 504])
def test_a_prefect_that_fails_once_is_asked_again(prefect_api: str, status: int) -> None:
    """A status that Prefect's own client does not try again is tried again."""
    name = uuid.uuid4().hex

    with _with_fault(prefect_api, Fault(Kind.REFUSE, "POST .*/flow_runs/", status=status)) as done, tags(f"pipeline:{name}"):
        made = new_flow_run(_made_once, {"targets": None})

    (found,) = flow_runs_of(prefect_api, name)
    assert len(done) == 1
    assert found["id"] == str(made.id)


def test_what_prefect_does_not_allow_is_not_asked_again(prefect_api: str) -> None:
    """An answer that says that the request is wrong is final."""
    with (
        _with_fault(prefect_api, Fault(Kind.REFUSE, "POST .*/flow_runs/", status=403)) as done,
        pytest.raises(httpx.HTTPStatusError),
    ):
        new_flow_run(_made_once, {"targets": None})

    assert len(done) == 1


def test_it_has_a_sign_of_life(prefect_api: str) -> None:
    """From its first moment on, the flow run says which process it belongs to, beside Prefect's own labels."""
    name = uuid.uuid4().hex

    with tags(f"pipeline:{name}"):
        new_flow_run(_made_once, {"targets": None})

    (found,) = flow_runs_of(prefect_api, name)
    assert Sign.parse(cast("dict[str, Any]", found["labels"])) == sign_now(1)
    assert "prefect.flow.id" in cast("dict[str, Any]", found["labels"])


IMPORTS = """
import sys
from prefect import flow
from dockercise_prefect.orchestration.prefect.new_flow_run import new_flow_run

@flow(name="made-once", retries=0)
def made_once(targets: list[str] | None = None) -> None:
    pass

new_flow_run(made_once, {"targets": ["a"]})
print("fastapi" in sys.modules)
"""


def test_a_flow_run_is_created_without_fastapi(prefect_api: str) -> None:
    """Prefect imports FastAPI for parameters of any kind, which takes 200 ms. Ours are JSON already."""
    environment = os.environ | {"PREFECT_API_URL": prefect_api}

    ran = subprocess.run([sys.executable, "-c", IMPORTS], env=environment, stdout=subprocess.PIPE, check=True)

    assert ran.stdout.decode().splitlines()[-1] == "False"
