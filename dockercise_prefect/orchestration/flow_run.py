"""The flow run that a pipeline runs in, as Prefect knows it."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.settings import get_current_settings

from dockercise_prefect.errors import UsageError


def current_flow_run() -> FlowRun:
    """The flow run that this is called in.

    Raises:
        UsageError: there is none.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise UsageError("run_pipeline is called outside of a flow run", "call the flow instead")
    return context.flow_run


def page(flow_run: FlowRun) -> str | None:
    """The address of the flow run in Prefect's UI, None where the API has no UI that is known."""
    return _page(f"flow-run/{flow_run.id}")


def task_page(task_run_id: str) -> str | None:
    """The same of a task run."""
    return _page(f"task-run/{task_run_id}")


def _page(of: str) -> str | None:
    ui = get_current_settings().ui_url
    return f"{ui}/runs/{of}" if ui else None


def label(flow_run: FlowRun, run_id: str, tags: Iterable[str]) -> None:
    """Name the flow run as the run's record is named, and give it the pipeline's tags besides its own.

    And have Prefect take its end for its end: a compiled module's flow may have been given retries by
    PREFECT_FLOWS_DEFAULT_RETRIES, and would be told to wait for the next one instead.

    An API that does not answer in this moment decides over nothing.
    """
    once = flow_run.empirical_policy.model_copy(update={"retries": 0})
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=run_id, tags=sorted({*flow_run.tags, *tags}), empirical_policy=once)
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("the flow run keeps its old name: %s", error)
