"""Runs that may not overlap: `meta.concurrency` (LANGUAGE section 7)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelling

from dockercise_prefect.orchestration.prefect.flow_run import group_tag
from dockercise_prefect.orchestration.prefect.run_limit import RunLimit
from dockercise_prefect.orchestration.run.phases import Resolved
from dockercise_prefect.pipeline import Concurrency, Overlap

POLL_SECONDS = 2.0
"""How many seconds pass between two questions for a free slot."""

_NOT_IN_NAMES = re.compile(r"[/%&<>]")
"""Characters that Prefect does not accept in the name of a limit."""

_GOES_ON = (StateType.RUNNING, StateType.PENDING, StateType.PAUSED)


@contextmanager
def in_turn(run: Resolved) -> Iterator[Resolved]:
    """Inside, the run counts among the runs of its group. If it must not overlap with others, it waits first.

    The run in the context skips all of its stages if another run is going on, and the pipeline says so.

    Raises:
        httpx.HTTPError, PrefectException: Prefect does not answer.
    """
    concurrency = run.pipeline.concurrency
    if concurrency is None:
        yield run
        return
    group = _group_of(run, concurrency)
    with (
        get_client(sync_client=True) as client,
        RunLimit(client, f"dockercise {_NOT_IN_NAMES.sub('_', group)}", concurrency.limit, run.flow_run.id) as limit,
    ):
        client.update_flow_run(run.flow_run.id, tags={*client.read_flow_run(run.flow_run.id).tags, group_tag(group)})
        if limit.occupy():
            yield replace(run, lease=limit.lease)
        elif concurrency.overlap is Overlap.SKIP:
            yield replace(run, skipped=dict.fromkeys(run.pipeline.by_name, _going_on(concurrency.limit, group)))
        else:
            _wait(run, concurrency, group, client, limit)
            yield replace(run, lease=limit.lease)


def _group_of(run: Resolved, concurrency: Concurrency) -> str:
    """The group of a run. Runs of a pipeline that is not trusted share a group only with runs of the same registration."""
    group = concurrency.group or run.pipeline.name
    if not run.options.settings.untrusted:
        return group
    return f"{run.flow_run.deployment_id or run.pipeline.name} {group}"


def _wait(run: Resolved, concurrency: Concurrency, group: str, client: SyncPrefectClient, limit: RunLimit) -> None:
    if concurrency.overlap is Overlap.CANCEL:
        for older in _older(client, run, group)[: -(concurrency.limit - 1) or None]:
            run.notify(f"cancelling {older.name}, an older run of `{group}`")
            client.set_flow_run_state(older.id, Cancelling(message=f"{run.run_id} overtakes it"))
    run.notify(f"waiting: {_going_on(concurrency.limit, group)}")
    while not limit.occupy():
        time.sleep(POLL_SECONDS)


def _older(client: SyncPrefectClient, run: Resolved, group: str) -> list[FlowRun]:
    """The runs of the group that go on and began before this one, oldest first."""
    going_on = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[group_tag(group)]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_GOES_ON))),
    )
    found = client.read_flow_runs(flow_run_filter=going_on, sort=FlowRunSort.START_TIME_ASC)
    names = [one.id for one in found]
    return found[: names.index(run.flow_run.id)] if run.flow_run.id in names else found


def _going_on(limit: int, group: str) -> str:
    return f"a run of `{group}` is going on" if limit == 1 else f"{limit} runs of `{group}` are going on"
