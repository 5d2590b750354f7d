"""The begin of a run ends dead runs of this machine, and does not depend on it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.crash.at_start import recovering
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign
from dockercise_prefect.settings import Settings
from tests.orchestration.crash.flow_runs_of_tests import ME, dead_owner, running
from tests.support.fault_proxy import PATIENCE, Fault, fault_proxy
from tests.support.prefect import prefect_records

pytestmark = [pytest.mark.docker, pytest.mark.alone]


def no_page(*_arguments: object) -> str:
    """A page without content."""
    return ""


def test_dead_runs_are_ended_and_told(client: SyncPrefectClient, settings: Settings, prefect_api: str, tmp_path: Path) -> None:
    """A dead run of this machine is Crashed when the run has ended, and the user is told; one that lives is not touched."""
    dead = running(client, Sign(dead_owner(), 1), name="the-dead")
    alive = running(client, Sign(str(ME), 1), name="the-living")
    told: list[str] = []

    with recovering(replace(settings, data=tmp_path), no_page, told.append):
        prefect_records.flow_run(prefect_api, dead)

    states = [prefect_records.ask(prefect_api, f"flow_runs/{flow_run}")["state"]["type"] for flow_run in (dead, alive)]
    assert states == ["CRASHED", "RUNNING"]
    assert "the-dead is now Crashed in Prefect: its process ended without a word" in told
    assert not any("the-living" in text for text in told)


@pytest.mark.parametrize("fault", ["refused", "500", "403"])
def test_a_prefect_that_fails_disturbs_nothing(
    client: SyncPrefectClient, settings: Settings, prefect_api: str, fault: Fault
) -> None:
    """If Prefect fails, the run goes on, nothing is told, and the dead run is left for the next one."""
    flow_run = running(client, Sign(dead_owner(), 1))
    told: list[str] = []

    with fault_proxy(prefect_api.removesuffix("/api")) as proxy, temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
        proxy.after(0, fault)
        with recovering(settings, no_page, told.append):
            pass

    assert told == []
    assert client.read_flow_run(UUID(flow_run)).state_name == "Running"


def test_a_prefect_that_does_not_answer_is_hardly_waited_for(settings: Settings, prefect_api: str) -> None:
    """If Prefect does not answer, the end of the run does not wait until it does."""
    with fault_proxy(prefect_api.removesuffix("/api")) as proxy, temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
        proxy.after(0, "slow")
        begun = time.monotonic()
        with recovering(settings, no_page, lambda _: None):
            pass
        took = time.monotonic() - begun

    assert took < PATIENCE / 2
