"""The name and the tags of a flow run."""

from __future__ import annotations

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.prefect.flow_run import current_flow_run, label
from tests.support.fault_proxy import FaultProxy, fault_proxy

pytestmark = pytest.mark.docker  # for the server


def changes(proxy: FaultProxy) -> int:
    """How many requests have asked to change something."""
    return sum(method == "PATCH" for method, _ in proxy.seen)


def test_what_is_so_already_is_not_sent(client: SyncPrefectClient, prefect_api: str) -> None:
    """A flow run that has the name, the tags and no retries is not changed in Prefect; one that differs is."""
    sent: list[int] = []

    @flow(retries=0)
    def labelled() -> None:
        run = current_flow_run()
        for name in ("new", "new", "newer"):
            before = changes(proxy)
            label(client.read_flow_run(run.id), name, ["tag"])
            sent.append(changes(proxy) - before)

    with fault_proxy(prefect_api.removesuffix("/api")) as proxy, temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
        labelled()

    assert sent == [1, 0, 1]
