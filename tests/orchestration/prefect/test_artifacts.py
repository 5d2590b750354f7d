"""Artifacts are sent in the background to a real Prefect server; a failure costs only a notice."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from dockercise_prefect.orchestration.prefect.artifacts import Artifacts
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.prefect.prefect_records import ask, eventually

pytestmark = pytest.mark.docker


@pytest.fixture
def proxy(prefect_api: str) -> Iterator[FaultProxy]:
    """A proxy between this process and the server."""
    with fault_proxy(prefect_api.removesuffix("/api")) as proxy:
        settings = {PREFECT_API_URL: f"{proxy.url}/api", PREFECT_CLIENT_MAX_RETRIES: 0}
        with temporary_settings(settings):
            yield proxy


def kept(api: str, flow_run_id: UUID) -> list[dict[str, Any]]:
    """The artifacts of a flow run on the server, oldest first."""
    body = {"artifacts": {"flow_run_id": {"any_": [str(flow_run_id)]}}, "sort": "CREATED_DESC"}
    found: list[dict[str, Any]] = ask(api, "artifacts/filter", body)
    return found[::-1]


def test_all_are_there_when_closed(prefect_api: str) -> None:
    """Text, headline and task run arrive in order, and no notice is given."""
    flow_run_id, task_run_id = uuid4(), str(uuid4())
    said: list[str] = []
    artifacts = Artifacts(flow_run_id, said.append)

    artifacts.add("shop-stage-a", "✓ passed", "## a", task_run_id)
    artifacts.add("shop-run", "**passed**", "## shop")
    artifacts.close()

    assert [(one["key"], one["description"], one["data"], one["task_run_id"]) for one in kept(prefect_api, flow_run_id)] == [
        ("shop-stage-a", "✓ passed", "## a", task_run_id),
        ("shop-run", "**passed**", "## shop", None),
    ]
    assert said == []


@pytest.mark.parametrize("fault", ["refused", "500"])
def test_a_prefect_that_fails_costs_one_notice(proxy: FaultProxy, fault: Any) -> None:
    """If Prefect fails until the end, this is reported once, and the artifacts are dropped."""
    said: list[str] = []
    proxy.after(0, fault)
    artifacts = Artifacts(uuid4(), said.append, patience=0.5)

    for number in range(3):
        artifacts.add(f"shop-stage-{number}", "✓ passed", "## a")
    artifacts.close()

    assert said == ["Prefect does not show all artifacts of this run: it did not accept them within 0.5 s"]


@pytest.mark.parametrize("fault", ["refused", "500"])
def test_artifacts_wait_for_a_prefect_that_comes_back(proxy: FaultProxy, prefect_api: str, fault: Any) -> None:
    """What could not be sent is sent when Prefect answers again, in order and once, and no notice is given."""
    said: list[str] = []
    flow_run_id = uuid4()
    proxy.after(0, fault)
    artifacts = Artifacts(flow_run_id, said.append, patience=60)

    for number in range(3):
        artifacts.add(f"shop-stage-{number}", "✓ passed", "## a")
    eventually(lambda: proxy.seen, lambda seen: len(seen) > 0)
    proxy.heal()
    artifacts.close()

    assert said == []
    assert [one["key"] for one in kept(prefect_api, flow_run_id)] == [f"shop-stage-{number}" for number in range(3)]


def test_an_artifact_that_is_refused_costs_only_itself(proxy: FaultProxy, prefect_api: str) -> None:
    """A refusal is reported once, and later artifacts arrive."""
    said: list[str] = []
    flow_run_id = uuid4()
    posted = itertools.count()
    proxy.judge = lambda _number, method, _path: "403" if method == "POST" and next(posted) < 2 else None
    artifacts = Artifacts(flow_run_id, said.append)

    for number in range(3):
        artifacts.add(f"shop-stage-{number}", "✓ passed", "## a")
    artifacts.close()

    assert said == ["Prefect does not show all artifacts of this run: it refuses them (HTTP status 403)"]
    assert [one["key"] for one in kept(prefect_api, flow_run_id)] == ["shop-stage-2"]


def test_a_prefect_that_does_not_answer_is_not_waited_for(proxy: FaultProxy, prefect_api: str) -> None:
    """The close ends after its patience with a notice; the waiting artifacts are dropped, and nothing more is reported."""
    said: list[str] = []
    flow_run_id = uuid4()
    proxy.judge = lambda _number, method, _path: "slow" if method == "POST" else None
    artifacts = Artifacts(flow_run_id, said.append, patience=0.5)

    artifacts.add("shop-stage-a", "✓ passed", "## a")
    artifacts.add("shop-stage-b", "✓ passed", "## b")
    artifacts.close()
    proxy.heal()
    eventually(threading.enumerate, lambda threads: "artifacts" not in {thread.name for thread in threads})

    assert said == ["Prefect does not show all artifacts of this run: it did not accept them within 0.5 s"]
    assert [one["key"] for one in kept(prefect_api, flow_run_id)] == ["shop-stage-a"]
