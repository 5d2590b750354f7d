"""Makes sure that Prefect has the final state of a flow run, if its answer was lost or could not be read."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus

from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once
from dockercise_prefect.orchestration.prefect.api import GONE, LOST

_ANSWER_SECONDS = 10.0
"""How many seconds Prefect has for each answer."""

_PAUSES = (0.0, 1.0, 3.0)
"""How many seconds pass before each try."""

_DECIDED = {SetStateStatus.ACCEPT, SetStateStatus.REJECT}


def has_final_state(flow_run_id: UUID, state: State[Any]) -> bool:
    """Ask Prefect which state the flow run has, and propose the final state again if it has another one.

    This takes seconds, and at most a minute. If the earlier proposal has arrived, nothing is proposed again.

    Args:
        flow_run_id: the flow run that has ended.
        state: the final state that was proposed.

    Returns:
        Whether Prefect knows how the flow run ended. False if it does not answer, or if its answers cannot be read.
    """
    with (
        asking_once(),
        get_client(httpx_settings=answered_within(_ANSWER_SECONDS), sync_client=True) as client,
    ):
        for pause in _PAUSES:
            time.sleep(pause)
            try:
                return _has(client, flow_run_id, state) or _accepts(client, flow_run_id, state)
            except GONE:
                return False
            except (*LOST, RuntimeError):
                continue
    return False


def _has(client: SyncPrefectClient, flow_run_id: UUID, state: State[Any]) -> bool:
    found = client.read_flow_run(flow_run_id)
    return found.state is not None and found.state.type is state.type


def _accepts(client: SyncPrefectClient, flow_run_id: UUID, state: State[Any]) -> bool:
    """Whether Prefect has answered, even if it keeps another state, such as Cancelling. Then the run has ended all the same."""
    return client.set_flow_run_state(flow_run_id, state).status in _DECIDED
