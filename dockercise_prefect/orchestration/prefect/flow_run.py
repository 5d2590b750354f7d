"""Prefect's flow run of a pipeline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext, TagsContext
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.settings import get_current_settings

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.prefect.sign_of_life import announce
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.results.reading.records import RUN_ID

RUN_ID_TAIL = 4
"""How many hexadecimal digits of the flow run's id end a run id. They distinguish two runs of the same second."""

COMMIT_TAG = "commit:"
PIPELINE_TAG = "pipeline:"


def current_flow_run() -> FlowRun:
    """The flow run that this is called in.

    Raises:
        UsageError: the caller is not in a flow run.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise UsageError("run_pipeline was called outside a flow run", "call the flow instead")
    return context.flow_run


def page(flow_run: FlowRun) -> str | None:
    """The address of the flow run in Prefect's UI; None if the UI of the API is not known."""
    return address_of(str(flow_run.id))


def address_of(flow_run_id: str) -> str | None:
    """The same for the id of a flow run."""
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{flow_run_id}" if ui else None


def new_run_id(flow_run: FlowRun, now: datetime) -> str:
    """The id of a run that begins now in this flow run."""
    return f"{now:%Y%m%dT%H%M%SZ}-{flow_run.id.hex[-RUN_ID_TAIL:]}"


def run_name() -> str:
    """The name of the flow run that this is called in: the id of its run. If the flow run is retried, the id of the first run.

    Passed as Prefect's `flow_run_name`, so that the flow run has this name from its first log line on. Prefect asks for the
    name before the flow run is Running. So this is also the moment for its first sign of life.
    """
    flow_run = current_flow_run()
    announce()
    return flow_run.name if flow_run.run_count and is_named(flow_run) else new_run_id(flow_run, datetime.now(UTC))


def is_named(flow_run: FlowRun) -> bool:
    """Whether the name of the flow run is the id of its own run."""
    return RUN_ID.fullmatch(flow_run.name) is not None and flow_run.name.endswith(flow_run.id.hex[-RUN_ID_TAIL:])


def attempt(flow_run: FlowRun) -> int:
    """The number of the attempt; 1 for the first."""
    return max(flow_run.run_count, 1)


def is_retried(flow_run: FlowRun, since: int) -> bool:
    """Whether a flow run has begun another attempt since this one, or is going to."""
    waits = flow_run.state is not None and (flow_run.state.is_scheduled() or flow_run.state.is_pending())
    return waits or attempt(flow_run) > since


def flow_runs_named(names: Collection[str]) -> Mapping[str, UUID]:
    """The ids of the flow runs with these names, as far as the API has any and answers."""
    if not names:
        return {}
    try:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=sorted(names))))
    except (httpx.HTTPError, PrefectException):
        return {}
    return {one.name: one.id for one in found}


def commit_tag(commit: str) -> str:
    """The tag of a flow run that ran this commit."""
    return f"{COMMIT_TAG}{commit}"


def pipeline_tag(name: str) -> str:
    """The tag of all flow runs of a pipeline."""
    return f"{PIPELINE_TAG}{name}"


def git_tags(git: RunContext) -> set[str]:
    """The tags that show how a run began, unless it began by hand, and its branch, tag or pull request."""
    event = "" if git.event is RunEvent.MANUAL else git.event.value
    texts = {"event": event, "branch": git.branch, "tag": git.tag, "pull-request": git.pull_request}
    return {f"{kind}:{text}" for kind, text in texts.items() if text}


def found_by(pipeline: Pipeline, commit: str | None, git: RunContext) -> set[str]:
    """The tags for finding a flow run: the tags of the pipeline, its name, the commit, and what is known of git."""
    return {*pipeline.tags, pipeline_tag(pipeline.name), *([commit_tag(commit)] if commit else []), *git_tags(git)}


def group_tag(group: str) -> str:
    """The tag of all flow runs that count together (`meta.concurrency`)."""
    return f"concurrency:{group}"


@contextmanager
def without_tags(tags: Iterable[str]) -> Iterator[None]:
    """Inside, task runs do not get these tags of their flow run, because Prefect requests a slot for every tag of a task."""
    with TagsContext(current_tags=TagsContext.get().current_tags - set(tags)):
        yield


def label(flow_run: FlowRun, name: str, tags: Iterable[str]) -> None:
    """Name the flow run, and add tags to its own tags. Old commit tags are removed, so that only one is left.

    Also make its end final for Prefect: PREFECT_FLOWS_DEFAULT_RETRIES may have given retries to the flow of a compiled module,
    and then the flow run would have to wait for the next retry instead.

    If the API does not answer at this moment, the run goes on.
    """
    once = flow_run.empirical_policy.model_copy(update={"retries": 0})
    given = set(tags)
    kept = {tag for tag in flow_run.tags if not tag.startswith(COMMIT_TAG)}
    if (name, kept | given, once) == (flow_run.name, set(flow_run.tags), flow_run.empirical_policy):
        return  # `dockercise run` has made it so
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=name, tags=sorted(kept | given), empirical_policy=once)
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("the flow run keeps its old name: %s", error)


def hold_to(flow_run: FlowRun, commit: str | None, labels: Mapping[str, str]) -> None:
    """Store the commit and labels in the flow run, unless it has them, so that a retry uses the same.

    Args:
        flow_run: the flow run.
        commit: the full id of the commit; None if there is none.
        labels: say how the run began.
    """
    is_held = commit is None or flow_run.parameters.get("commit") == commit
    if is_held and labels.items() <= flow_run.labels.items():
        return
    try:
        with get_client(sync_client=True) as client:
            if not is_held:
                client.update_flow_run(flow_run.id, parameters={**flow_run.parameters, "commit": commit})
            client.update_flow_run_labels(flow_run.id, dict(labels))
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("a retry of this run may use a later commit: %s", error)
