"""The flow run that a pipeline runs in, as Prefect knows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext, TagsContext
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.settings import get_current_settings

from dockercise_prefect.errors import UsageError
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.reading.records import RUN_ID

RUN_ID_TAIL = 4
"""Hexadecimal digits of the flow run's id at the end of a run id: two runs of one second stay apart."""

COMMIT_TAG = "commit:"


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
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{flow_run.id}" if ui else None


def new_run_id(flow_run: FlowRun, now: datetime) -> str:
    """What a run that begins now is called, in this flow run."""
    return f"{now:%Y%m%dT%H%M%SZ}-{flow_run.id.hex[-RUN_ID_TAIL:]}"


def run_name() -> str:
    """The name of the flow run that this is called in: the id of its run, of the first one where it is tried again.

    For Prefect's `flow_run_name`, so that the flow run is called so from its first line on.
    """
    flow_run = current_flow_run()
    return flow_run.name if flow_run.run_count and is_named(flow_run) else new_run_id(flow_run, datetime.now(UTC))


def is_named(flow_run: FlowRun) -> bool:
    """Whether the flow run has the name of a run of its own."""
    return RUN_ID.fullmatch(flow_run.name) is not None and flow_run.name.endswith(flow_run.id.hex[-RUN_ID_TAIL:])


def attempt(flow_run: FlowRun) -> int:
    """1 for a run that is not tried again."""
    return max(flow_run.run_count, 1)


def commit_tag(commit: str) -> str:
    """The tag of a flow run that ran this commit."""
    return f"{COMMIT_TAG}{commit}"


def pipeline_tag(name: str) -> str:
    """The tag of flow runs of a pipeline."""
    return f"pipeline:{name}"


def found_by(pipeline: Pipeline, commit: str | None) -> set[str]:
    """The tags that a flow run is found by: the pipeline's own, its name, and the commit."""
    return {*pipeline.tags, pipeline_tag(pipeline.name), *([commit_tag(commit)] if commit else [])}


@contextmanager
def without_tags(tags: Iterable[str]) -> Iterator[None]:
    """Inside, task runs do not get these tags of their flow run: for every tag of a task, Prefect asks its API for a slot."""
    with TagsContext(current_tags=TagsContext.get().current_tags - set(tags)):
        yield


def label(flow_run: FlowRun, name: str, tags: Iterable[str]) -> None:
    """Name the flow run, and give it tags besides its own; of commits, only one.

    And have Prefect take its end for its end: a compiled module's flow may have been given retries by
    PREFECT_FLOWS_DEFAULT_RETRIES, and would be told to wait for the next one instead.

    An API that does not answer in this moment decides over nothing.
    """
    once = flow_run.empirical_policy.model_copy(update={"retries": 0})
    given = set(tags)
    kept = {tag for tag in flow_run.tags if not tag.startswith(COMMIT_TAG)}
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=name, tags=sorted(kept | given), empirical_policy=once)
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("the flow run keeps its old name: %s", error)


def hold_to(flow_run: FlowRun, commit: str) -> None:
    """Have the flow run say which commit it is of, so that it is of the same when it is tried again."""
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, parameters={**flow_run.parameters, "commit": commit})
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("a retry of this run may be of a later commit: %s", error)
