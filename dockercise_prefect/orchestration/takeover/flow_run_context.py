"""The context of a flow run that another process began: logs and task runs belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext, hydrated_context
from prefect.results import get_result_store
from prefect.task_runners import ThreadPoolTaskRunner


@contextmanager
def inside(flow_run: FlowRun, flow_name: str, client: SyncPrefectClient) -> Iterator[None]:
    """Inside, the current flow run is the given one. Its state does not change.

    Args:
        flow_run: the flow run.
        flow_name: the name of its flow, for the log.
        client: of Prefect's API.
    """

    def nothing() -> None:
        """Stand in for the function of the flow, which is not called."""

    flow = Flow(nothing, name=flow_name)
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner()
    with (
        hydrated_context({}),
        runner as task_runner,
        FlowRunContext(
            flow=flow,
            flow_run=flow_run,
            client=client,
            task_runner=task_runner,
            result_store=get_result_store(),
            parameters={},
            detached=True,
        ),
    ):
        yield
