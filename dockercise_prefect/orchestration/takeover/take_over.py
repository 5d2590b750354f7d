"""Takes over a run whose process has died."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType

from dockercise_prefect.orchestration.crash.left_run import LeftRun, left_run
from dockercise_prefect.orchestration.crash.records import death_of
from dockercise_prefect.orchestration.scheduling.ports import BY_PREFECT
from dockercise_prefect.orchestration.takeover.finish import Cause, finish, options_of, read_flow_run
from dockercise_prefect.orchestration.takeover.knowledge import Knowledge, found_again
from dockercise_prefect.results.record.journal import BusyError, Journal
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings

_CANCELLED = frozenset({StateType.CANCELLING, StateType.CANCELLED})


def nothing(_flow_run: FlowRun) -> str | None:
    """Nothing else asked the run to end."""
    return None


def take_over(
    folder: Path,
    settings: Settings,
    client: SyncPrefectClient,
    told: Knowledge | None = None,
    asked_by: Callable[[FlowRun], str | None] = nothing,
) -> RunSummary | None:
    """Finish a run, if it was cancelled or if its clean-up stages are to run after a crash.

    Args:
        folder: of its record on this machine.
        settings: of this machine.
        client: of Prefect's API.
        told: what its process has told; None to find again what can be found.
        asked_by: says what else may have asked the run to end, if neither its record nor Prefect says that it was cancelled.

    Returns:
        Its summary; None if there is nothing to do here, or if another process does it.

    Raises:
        StorageError, EngineError: the record or the engine fails.
        httpx.HTTPError, PrefectException: Prefect does not answer.
    """
    with suppress(BusyError), Journal(folder).finishing():
        left = left_run(folder)
        if left is None:
            return None
        flow_run = read_flow_run(left, client)
        cause = _cause(left, flow_run, asked_by)
        if cause.cancelled_by is None and not left.pipeline.cleanup_after_crash:
            return None
        options = options_of(left, settings)
        knowledge = told or found_again(left, options, flow_run.parameters.get("env") or {})
        return finish(left, knowledge, cause, flow_run=flow_run, client=client, options=options)
    return None


def _cause(left: LeftRun, flow_run: FlowRun, asked_by: Callable[[FlowRun], str | None]) -> Cause:
    by = left.cancelled_by
    if by is None:
        is_cancelled = flow_run.state is not None and flow_run.state.type in _CANCELLED
        by = BY_PREFECT if is_cancelled else asked_by(flow_run)
    return Cause(cancelled_by=by, message=death_of(left.folder).error)
