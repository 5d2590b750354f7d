"""The flow runs of a work pool that have not ended, and those that Prefect has planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from dockercise_prefect.orchestration.client.settings import asking_once
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api

MOST = 200
"""The maximum number of flow runs in one answer of Prefect's API."""

_UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING, StateType.PAUSED]


@dataclass(frozen=True, slots=True)
class PoolRun:
    """A flow run that has not ended.

    Attributes:
        deployment: the id of its deployment; empty if it has none.
        name: Prefect's name for the run.
        state: the name of its state, such as `Running`.
    """

    id: str
    deployment: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class PoolRuns:
    """What a work pool has to do.

    Attributes:
        unfinished: the runs that are going on, and those that should have started by the moment that was asked for; at most
            `MOST` of each.
        next_start: when the first of the other planned runs starts; None if none is planned.
    """

    unfinished: tuple[PoolRun, ...]
    next_start: datetime | None


def pool_runs(pool: str, by: datetime) -> PoolRuns:
    """Ask Prefect what a work pool has to do. An answer that fails is not asked for again.

    Args:
        pool: the name of the work pool. If it does not exist, it has nothing to do.
        by: runs that are planned for this moment or earlier count as unfinished.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    try:
        with asking_once(), get_client(sync_client=True) as client:
            going_on = _runs(client, pool, _UNFINISHED, FlowRunSort.ID_DESC)
            planned = _runs(client, pool, [StateType.SCHEDULED], FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC)
    except LOST as error:
        raise lost_api(error) from error
    starts = [(run, run.next_scheduled_start_time or run.expected_start_time) for run in planned]
    due = [run for run, start in starts if start is None or start <= by]
    later = [start for _, start in starts if start is not None and start > by]
    return PoolRuns(tuple(_read(run) for run in (*going_on, *due)), min(later, default=None))


def _runs(client: SyncPrefectClient, pool: str, types: list[StateType], sort: FlowRunSort) -> Sequence[FlowRun]:
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types))),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        sort=sort,
        limit=MOST,
    )


def _read(run: FlowRun) -> PoolRun:
    return PoolRun(str(run.id), str(run.deployment_id or ""), run.name, run.state_name or "Pending")
