"""Creates the flow run of a flow that runs in this process, exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import FlowCreate, FlowRunCreate
from prefect.client.schemas.objects import Flow as KnownFlow
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy
from prefect.context import TagsContext
from prefect.states import Pending, to_state_create

from dockercise_prefect.orchestration.client.http_settings import sharing_certificates
from dockercise_prefect.orchestration.prefect.sign_of_life import sign_now

_TIMES = 3
"""How often we ask if Prefect fails, or if an answer cannot be read."""

_NOT_REPEATED = {500, 504}
"""The statuses for which Prefect's own client does not ask again. For others, it has asked for two minutes."""


def new_flow_run(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> FlowRun:
    """Create a flow run with the current tags.

    If Prefect fails, or if its answer is lost or cannot be read, the request is sent again. All of these requests have one key,
    so that Prefect makes one flow run. Without a key, it would make another one, and the first one would stay Pending forever.

    The flow run has a sign of life from its first moment on. So it is found even if this process dies at once.

    Args:
        flow: the flow, without retries.
        parameters: all parameters of its function. They are JSON: Prefect's own conversion imports FastAPI for it.

    Raises:
        httpx.HTTPError, PrefectException: Prefect does not answer, or its answers cannot be read.
    """
    key = f"dockercise-{uuid4()}"
    with get_client(httpx_settings=sharing_certificates(), sync_client=True) as client:
        for _ in range(_TIMES - 1):
            try:
                return _created(client, flow, parameters, key)
            except (httpx.DecodingError, ValueError):
                continue
            except httpx.HTTPStatusError as error:
                if error.response.status_code not in _NOT_REPEATED:
                    raise
        return _created(client, flow, parameters, key)


def _created(client: SyncPrefectClient, flow: Flow[..., Any], parameters: Mapping[str, Any], key: str) -> FlowRun:
    answer = client.request("POST", "/flows/", json=FlowCreate(name=flow.name).model_dump(mode="json"))
    wanted = FlowRunCreate(
        flow_id=KnownFlow.model_validate(answer.json()).id,
        flow_version=flow.version,
        parameters=dict(parameters),
        tags=sorted(TagsContext.get().current_tags),
        labels=sign_now(attempt=1).labels(),
        state=to_state_create(Pending()),
        empirical_policy=FlowRunPolicy(retries=0),
        idempotency_key=key,
    )
    answer = client.request("POST", "/flow_runs/", json=wanted.model_dump(mode="json", exclude_unset=True))
    made = FlowRun.model_validate(answer.json())
    made.parameters = dict(parameters)
    return made
