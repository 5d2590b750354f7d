"""The heartbeat of a flow run in Prefect's events is the one that Prefect's engine would send."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, tags
from prefect.client.orchestration import SyncPrefectClient
from prefect.flow_engine import FlowRunEngine
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from dockercise_prefect.orchestration.client.flow_heartbeat import EVENT, flow_heartbeat, heartbeat_seconds
from dockercise_prefect.orchestration.client.settings import without_engine_heartbeat
from dockercise_prefect.orchestration.prefect.flow_run import current_flow_run
from tests.orchestration.running import RunIt, sh
from tests.support.prefect.prefect_records import eventually

pytestmark = pytest.mark.docker  # for the server


def heartbeats(client: SyncPrefectClient, flow_run: str) -> list[dict[str, Any]]:
    """The events of the flow run, as Prefect has stored them."""
    wanted = {"event": {"name": [EVENT]}, "resource": {"id": [f"prefect.flow-run.{flow_run}"]}}
    found: list[dict[str, Any]] = client.request("POST", "/events/filter", json={"filter": wanted}).json()["events"]
    return found


def said(event: dict[str, Any]) -> Any:
    """What an event says, apart from the ids of the flow run and of the event."""
    return {key: value for key, value in event["resource"].items() if key.endswith("version")}, event["related"]


def test_the_event_is_that_of_the_engine(client: SyncPrefectClient) -> None:
    """The engine's event and ours have the same resource and the same related resources."""
    names: list[tuple[str, str]] = []

    @flow
    def beating() -> None:
        run = current_flow_run()
        names.append((str(run.id), run.name))
        with flow_heartbeat(seconds):
            threading.Event().wait(0.1)

    seconds = None
    with tags("one", "two"):
        beating()
        seconds = 3600.0
        with without_engine_heartbeat():
            beating()
    events = [eventually(partial(heartbeats, client, flow_run), bool) for flow_run, _ in names]

    (engine,), (ours,) = events
    assert said(ours) == said(engine)
    assert [event["resource"]["prefect.resource.name"] for event in (engine, ours)] == [name for _, name in names]


def test_a_run_of_the_command_has_it(client: SyncPrefectClient, run: RunIt) -> None:
    """A run sends the event once at its begin, although the engine is told not to."""
    ran = run(sh("one", "true"))

    events = eventually(lambda: heartbeats(client, str(ran.summary.flow_run_id)), bool)

    assert len(events) == 1
    assert f"prefect.flow.{client.read_flow_run(UUID(ran.summary.flow_run_id)).flow_id}" in [
        one["prefect.resource.id"] for one in events[0]["related"]
    ]


def test_it_is_sent_again_and_again(client: SyncPrefectClient) -> None:
    """As long as the flow run goes on, events follow each other."""
    seen: list[str] = []

    @flow
    def beating() -> int:
        seen.append(str(current_flow_run().id))
        with flow_heartbeat(0.05):
            return len(eventually(lambda: heartbeats(client, seen[0]), lambda found: len(found) > 2))

    with without_engine_heartbeat():
        assert beating() > 2


@pytest.mark.parametrize(("setting", "seconds"), [(None, None), (45, 45)])
def test_the_users_setting_counts(setting: int | None, seconds: float | None) -> None:
    """The setting says how often the event is sent, and can turn it off. The engine itself sends it never."""

    @flow
    def nothing() -> None:
        """Do nothing."""

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: setting}):
        wanted = heartbeat_seconds()
        with without_engine_heartbeat():
            engine = FlowRunEngine(flow=nothing).heartbeat_seconds

    assert (wanted, engine) == (seconds, None)
