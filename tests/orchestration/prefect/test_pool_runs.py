"""What a work pool has to do, according to Prefect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.prefect.pool_runs import PoolRuns, pool_runs
from tests.support.prefect.prefect_records import ask
from tests.support.prefect.workers import create_pool

pytestmark = pytest.mark.docker

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_runs_of_a_pool_are_unfinished_or_planned(prefect_api: str) -> None:
    """Runs that go on or are due are unfinished, ended ones are not, and the first of the others is the next start."""
    pool = f"pool-{uuid4().hex[:8]}"
    create_pool(pool, prefect_api)
    flow = ask(prefect_api, "flows/", {"name": pool})["id"]
    deployment = ask(prefect_api, "deployments/", {"name": "d", "flow_id": flow, "work_pool_name": pool})["id"]

    def make(kind: str, **details: str) -> str:
        state = {"type": kind, "state_details": details}
        return str(ask(prefect_api, f"deployments/{deployment}/create_flow_run", {"state": state})["id"])

    def at(moment: datetime) -> dict[str, str]:
        return {"scheduled_time": moment.isoformat()}

    running, late = make("RUNNING"), make("SCHEDULED", **at(NOW - timedelta(hours=1)))
    make("COMPLETED")
    make("SCHEDULED", **at(NOW + timedelta(hours=2)))
    make("SCHEDULED", **at(NOW + timedelta(hours=1)))

    found = pool_runs(pool, NOW)

    assert {(run.id, run.state) for run in found.unfinished} == {(running, "Running"), (late, "Scheduled")}
    assert {run.deployment for run in found.unfinished} == {deployment}
    assert found.next_start == NOW + timedelta(hours=1)
    assert len(pool_runs(pool, NOW + timedelta(hours=1)).unfinished) == 3
    assert pool_runs(f"no-{pool}", NOW) == PoolRuns((), None)


def test_a_prefect_that_is_gone_is_an_error() -> None:
    """If Prefect does not answer, the error says so; it is not taken for a pool that has nothing to do."""
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
        pytest.raises(OrchestratorError, match="Prefect failed"),
    ):
        pool_runs("dockercise", NOW)
