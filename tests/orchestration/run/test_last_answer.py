"""Runs whose last request to Prefect is lost, refused or answered with what cannot be read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prefect import tags
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_CUSTOM_HEADERS, temporary_settings

from dockercise_prefect.errors import EngineError, ExitStatus
from dockercise_prefect.orchestration.prefect.local_server import LocalServer
from dockercise_prefect.orchestration.run.failure import ApiLostError
from dockercise_prefect.status import RunStatus, StageStatus
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.faults.plan import Fault, Kind, Plan
from tests.faults.proxy import Proxy, port_proxy
from tests.orchestration.running import Ran, RunIt, sh
from tests.support.killing import flow_runs_of
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

PROPOSAL = "POST .*/flow_runs/.*/set_state"
LAST = 2
"""A run proposes two states: Running and its final state."""

PLAIN = {"Accept-Encoding": "identity"}
"""Answers that are not compressed. One that is spoiled is then no JSON, instead of no gzip."""


@pytest.fixture(scope="session")
def line(server: LocalServer) -> Iterator[Proxy]:
    """A proxy in front of the session's server. It lives long, since Prefect's own threads connect to it again and again."""
    with port_proxy(server.api_url) as proxy:
        yield proxy


@contextmanager
def _with_faults(line: Proxy, *faults: Fault) -> Iterator[list[str]]:
    """Requests to Prefect go through the proxy with faults. Gives what it has done."""
    with temporary_settings({PREFECT_API_URL: f"{line.url}/api"}):
        yield line.follow(Plan(0, faults)).done


def _states(api: str, ran: Ran) -> list[str]:
    """The types of the states that the flow run had, in order."""
    found: list[dict[str, Any]] = prefect_records.ask(api, f"flow_run_states/?flow_run_id={ran.summary.flow_run_id}")
    return [state["type"] for state in sorted(found, key=lambda state: str(state["timestamp"]))]


@pytest.mark.parametrize("headers", [{}, PLAIN])
def test_an_answer_that_cannot_be_read(prefect_api: str, line: Proxy, run: RunIt, headers: dict[str, str]) -> None:
    """If Prefect has the final state, the run has ended as it ended, although the answer could not be read."""
    fault = Fault(Kind.GARBLE, PROPOSAL, LAST)

    with _with_faults(line, fault) as done, temporary_settings({PREFECT_CLIENT_CUSTOM_HEADERS: headers}):
        ran = run(sh("a", "true"))

    assert len(done) == 1
    assert (ran.exit_status, ran.summary.status, ran.summary.error) == (ExitStatus.DONE, RunStatus.PASSED, None)
    assert json.loads((ran.folder / "summary.json").read_text())["status"] == "passed"
    assert _states(prefect_api, ran) == ["PENDING", "RUNNING", "COMPLETED"]


def test_a_final_state_that_prefect_did_not_accept(prefect_api: str, line: Proxy, run: RunIt) -> None:
    """If Prefect does not have the final state, it is proposed again, and the run has ended as it ended."""
    with _with_faults(line, Fault(Kind.REFUSE, PROPOSAL, LAST, status=500)) as done:
        ran = run(sh("a", "true"))

    assert len(done) == 1
    assert (ran.exit_status, ran.summary.status) == (ExitStatus.DONE, RunStatus.PASSED)
    assert _states(prefect_api, ran) == ["PENDING", "RUNNING", "COMPLETED"]


@pytest.mark.parametrize("kind", [Kind.GARBLE, Kind.REFUSE])
def test_a_run_that_failed(prefect_api: str, line: Proxy, run: RunIt, scripted: ScriptedEngine, kind: Kind) -> None:
    """A failed stage stays the reason: the run does not become one in error, and Prefect has the message."""
    scripted.script("break", Behaviour(exit_code=7))

    with _with_faults(line, Fault(kind, PROPOSAL, LAST, status=500)) as done:
        ran = run(sh("a", "break"))

    flow_run = prefect_records.flow_run(prefect_api, ran.summary.flow_run_id or "")
    assert len(done) == 1
    assert not isinstance(ran.failure, ApiLostError)
    assert (ran.exit_status, ran.summary.status) == (ExitStatus.STAGE_FAILED, RunStatus.FAILED)
    assert (flow_run.type, flow_run.message) == ("FAILED", "failed: a (exit code 7)")


def test_a_run_in_error(prefect_api: str, line: Proxy, run: RunIt, scripted: ScriptedEngine) -> None:
    """An error of the engine stays the reason, and the flow run does not stay Running."""
    scripted.fail("resolve_image", EngineError("no space left", "free some"))

    with _with_faults(line, Fault(Kind.REFUSE, PROPOSAL, LAST, status=500)) as done:
        ran = run(sh("a", "true"))

    flow_run = prefect_records.flow_run(prefect_api, ran.summary.flow_run_id or "")
    assert len(done) == 1
    assert not isinstance(ran.failure, ApiLostError)
    assert (ran.exit_status, ran.summary.status) == (ExitStatus.ENGINE_FAILED, RunStatus.ERROR)
    assert "no space left" in (ran.summary.error or "")
    assert flow_run.type == "FAILED"


def test_a_run_that_did_not_begin(prefect_api: str, line: Proxy, run: RunIt) -> None:
    """If the first answer cannot be read, nothing runs, and the flow run does not look as if it were still going on."""
    name = uuid.uuid4().hex

    with _with_faults(line, Fault(Kind.GARBLE, PROPOSAL)) as done, tags(f"pipeline:{name}"):
        ran = run(sh("a", "true"))

    (flow_run,) = flow_runs_of(prefect_api, name)
    assert len(done) == 1
    assert (ran.exit_status, ran.summary.status) == (ExitStatus.ENGINE_FAILED, RunStatus.ERROR)
    assert ran.statuses == {"a": StageStatus.NOT_STARTED}
    assert flow_run["state_type"] == "FAILED"
    assert "the run did not begin: an answer of Prefect was lost" in str(flow_run["state"])


def test_a_prefect_that_accepts_no_end(prefect_api: str, line: Proxy, run: RunIt) -> None:
    """If Prefect refuses the final state again and again, nobody has been told, and the run ends in error."""
    faults = (Fault(Kind.REFUSE, PROPOSAL, number, status=500) for number in range(LAST, 20))

    with _with_faults(line, *faults) as done:
        ran = run(sh("a", "true"))

    assert isinstance(ran.failure, ApiLostError)
    assert (ran.exit_status, ran.summary.status) == (ExitStatus.ENGINE_FAILED, RunStatus.ERROR)
    assert "Prefect failed" in (ran.summary.error or "")
    assert json.loads((ran.folder / "summary.json").read_text())["status"] == "error"
    assert 1 < len(done) < 10
