"""Makes flow runs in Prefect as processes leave them: with a sign of life, in any state, without running anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Completed, Pending, Running

from dockercise_prefect.orchestration.prefect.sign_of_life import Sign
from dockercise_prefect.runtime.cleanup.ownership import Owner, this_process

_PROGRAM = "from dockercise_prefect.runtime.cleanup.ownership import this_process; print(this_process(None))"

ME = this_process(None)

_MADE: list[UUID] = []


@flow(name="made-by-a-test")
def _nothing() -> None:
    """A flow that nobody runs."""


def dead_owner() -> str:
    """A process of this machine that lived and has ended."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, env=os.environ)
    return done.stdout.strip()


def foreign(owner: str, host: str = "elsewhere") -> str:
    """The same process on another machine."""
    read_back = Owner.parse(owner)
    assert read_back is not None
    return str(replace(read_back, host=host, machine="another"))


def running(client: SyncPrefectClient, sign: Sign | None, tags: Mapping[str, str] | None = None, name: str = "r") -> str:
    """A flow run that is Running, with this sign of life. Gives its id."""
    flow_run = client.create_flow_run(_nothing, name=name, tags=[f"{key}:{value}" for key, value in (tags or {}).items()])
    _MADE.append(flow_run.id)
    client.set_flow_run_state(flow_run.id, Pending())
    client.set_flow_run_state(flow_run.id, Running())
    if sign is not None:
        beat(client, str(flow_run.id), sign)
    return str(flow_run.id)


def end_all(client: SyncPrefectClient) -> None:
    """End all flow runs that this process has made, so that later tests do not find them."""
    while _MADE:
        client.set_flow_run_state(_MADE.pop(), Completed(), force=True)


def beat(client: SyncPrefectClient, flow_run: str, sign: Sign) -> None:
    """Send a sign of life."""
    client.update_flow_run_labels(UUID(flow_run), sign.labels())


def labels(client: SyncPrefectClient, flow_run: str) -> Mapping[str, Any]:
    """The labels of a flow run."""
    return client.read_flow_run(UUID(flow_run)).labels
