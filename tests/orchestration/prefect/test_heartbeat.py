"""Signs of life reach Prefect as long as a run lives, and never disturb it."""

from __future__ import annotations

import time
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.prefect.flow_run import current_flow_run, run_name
from dockercise_prefect.orchestration.prefect.heartbeat import Heartbeat, beating
from dockercise_prefect.orchestration.prefect.sign_of_life import RECORD, Sign
from dockercise_prefect.runtime.cleanup.labels import OWNER
from tests.orchestration.crash.flow_runs_of_tests import labels, running
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.prefect.prefect_records import eventually

pytestmark = pytest.mark.docker  # for the server


def changed(client: SyncPrefectClient, flow_run: str) -> datetime:
    """When the flow run was changed last, by Prefect's clock."""
    updated = client.read_flow_run(UUID(flow_run)).updated
    assert updated is not None
    return updated


def test_each_beat_shows_in_prefect(client: SyncPrefectClient) -> None:
    """Prefect notes the time of each sign, also if nothing in it has changed, and there is none after the end."""
    flow_run = running(client, None)

    with Heartbeat(UUID(flow_run), Sign("me", 1), every=0.05):
        first = eventually(lambda: changed(client, flow_run), lambda _: OWNER in labels(client, flow_run))
        second = eventually(lambda: changed(client, flow_run), lambda now: now > first)

    assert second > first
    assert Sign.parse(labels(client, flow_run)) == Sign("me", 1)


def test_the_record_is_told_at_once(client: SyncPrefectClient) -> None:
    """When the record has begun, the next sign does not wait for its time."""
    flow_run = running(client, None)

    with Heartbeat(UUID(flow_run), Sign("me", 1), every=3600) as heartbeat:
        heartbeat.has_record("file:///results/shop/1")
        told = eventually(lambda: labels(client, flow_run), lambda found: bool(found.get(RECORD)))

    assert told[RECORD] == "file:///results/shop/1"


def test_prefect_knows_the_guardian_before_a_stage_starts(client: SyncPrefectClient) -> None:
    """The run goes on only when Prefect has the guardian: until then, the run of a killed process would look dead."""
    flow_run = running(client, None)

    with Heartbeat(UUID(flow_run), Sign("me", 1), every=3600) as heartbeat:
        heartbeat.has_guardian("guardian")
        told = Sign.parse(labels(client, flow_run))

    assert told == Sign("me", 1, guardian="guardian")


def test_the_first_sign_comes_before_running(client: SyncPrefectClient) -> None:
    """While Prefect asks a flow for its name, the flow run is not Running yet, and it already has its sign."""
    seen: list[tuple[str, Sign | None]] = []

    def name() -> str:
        given = run_name()
        flow_run = client.read_flow_run(current_flow_run().id)
        assert flow_run.state is not None
        seen.append((flow_run.state.type.value, Sign.parse(flow_run.labels)))
        return given

    @flow(flow_run_name=name)
    def named() -> int:
        return current_flow_run().run_count

    run_count = named()

    (found,) = seen
    state, sign = found
    assert state == "PENDING"
    assert sign is not None
    assert sign.attempt == run_count


def test_one_flow_run_has_one_heartbeat(client: SyncPrefectClient) -> None:
    """Inside a heartbeat, the same flow run gets no second one, and another flow run gets its own."""
    first, second = (client.read_flow_run(UUID(running(client, None))) for _ in range(2))

    with beating(first) as outer, beating(first) as same, beating(second) as other:
        assert outer is same
        assert other is not outer


@pytest.mark.parametrize("fault", ["refused", "500"])
def test_signs_arrive_again_when_prefect_is_back(client: SyncPrefectClient, prefect_api: str, fault: Fault) -> None:
    """If Prefect fails for a while, later signs arrive again, and the end of the run is not disturbed."""
    flow_run = running(client, None)
    server = prefect_api.removesuffix("/api")

    with fault_proxy(server) as proxy, temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
        proxy.after(0, fault)
        with Heartbeat(UUID(flow_run), Sign("me", 1), every=0.05):
            eventually(lambda: len(proxy.seen), lambda count: count > 3)
            meanwhile = labels(client, flow_run)
            proxy.heal()
            afterwards = eventually(lambda: labels(client, flow_run), lambda found: OWNER in found)

    assert OWNER not in meanwhile
    assert Sign.parse(afterwards) == Sign("me", 1)


def test_an_api_that_is_gone_disturbs_nothing() -> None:
    """If Prefect does not answer, the heartbeat raises nothing, and its end does not wait for Prefect."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        begun = time.monotonic()
        with Heartbeat(uuid4(), Sign("me", 1), every=0.01) as heartbeat:
            heartbeat.has_record("file:///r")
            heartbeat.has_guardian("guardian")
        took = time.monotonic() - begun

    assert took < 60
