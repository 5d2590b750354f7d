"""What a guardian does when the process of its run has died."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Completed, Failed

from dockercise_prefect.orchestration.crash.prefect_runs import PrefectRuns
from dockercise_prefect.orchestration.crash.records import DeadRecords, death_of
from dockercise_prefect.orchestration.crash.recovery import Recovery
from dockercise_prefect.orchestration.guard.message import Told
from dockercise_prefect.orchestration.prefect.api import LOST, prefect_api
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.prefect.flow_run import is_retried
from dockercise_prefect.orchestration.prefect.run_limit import held
from dockercise_prefect.orchestration.run.failure import headline
from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.orchestration.takeover.knowledge import Knowledge
from dockercise_prefect.orchestration.takeover.take_over import take_over
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.runtime.cleanup.labels import GUARDIAN, ITSELF, STAGE, RunIdentity
from dockercise_prefect.runtime.cleanup.ownership import ContainerStart, Owner, this_process
from dockercise_prefect.runtime.cleanup.ownership import is_dead as is_over
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Engine, Leftover
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.status import RunStatus

PATIENCE = 600.0
"""How many seconds a guardian waits for a Prefect that does not answer. Then `dockercise gc` does the rest."""

WORKER_SECONDS = 60.0
"""How many seconds a worker may take to end after it has killed its flow runs, on a busy machine."""

AGAIN_SECONDS = 5.0
"""How many seconds pass between two tries."""


def after_death(told: Told) -> None:
    """Finish the run, and leave nothing on the engine, not even of the guardian."""
    settings = read_settings()
    deadline = time.monotonic() + PATIENCE
    with (
        prefect_api(settings.data, lambda _: None),
        get_client(sync_client=True) as client,
        held(client, None if told.lease is None else UUID(told.lease)),
    ):
        while True:
            try:
                _finish(told, settings, client)
            except LOST:
                _stop_ordinary_stages(told, settings)  # they must not run on while Prefect is away
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_SECONDS)
            else:
                break
    with closing(connect_engine(settings)) as engine:
        # The engine removes the container of this process.
        remove_all(engine, [each for each in _made(told, engine) if not (each.kind == "container" and GUARDIAN in each.labels)])


def _made(told: Told, engine: Engine) -> list[Leftover]:
    """What the run has on the engine. Another attempt of the same flow run is another run."""
    identity = RunIdentity(Path(told.folder).name, told.pipeline.name, told.flow_run_id)
    return [each for each in engine.leftovers() if identity.owns(each.labels)]


def _stop_ordinary_stages(told: Told, settings: Settings) -> None:
    def stop(container: Leftover) -> None:
        stage = told.pipeline.find(container.labels[STAGE])
        if not stage.when.cleans_up and engine.running(container.id) is not None:
            engine.stop(container.id, stage.stop_grace)

    with closing(connect_engine(settings)) as engine:
        mine = [each for each in _made(told, engine) if ITSELF in each.labels]
        run_each(stop, [each for each in mine if each.kind == "container"], at_once=max(1, len(mine)))


def _finish(told: Told, settings: Settings, client: SyncPrefectClient) -> None:
    knowledge = Knowledge(pipeline=told.pipeline, outside=told.outside, all_secrets=True)
    folder = Path(told.folder)
    if take_over(folder, settings, client, knowledge, partial(_worker_ended, told.worker, settings, client)) is not None:
        return
    record = RecordedRun(FolderObjects(folder.parent.parent), folder.parent.name, folder.name)
    runs, records = PrefectRuns(client), DeadRecords(settings, report)
    flow_run = client.read_flow_run(UUID(told.flow_run_id))
    is_ours = not is_retried(flow_run, told.attempt)
    if (summary := record.summary()) is not None:  # the process has died between the end of the record and that of the flow run
        if is_ours and flow_run.state is not None and not flow_run.state.is_final():
            client.set_flow_run_state(flow_run.id, _STATES[summary.status](message=headline(summary)), force=True)
        return
    if folder.is_dir():  # otherwise, it was in the container of the run, and has gone with it
        records.end(record, death_of(folder))
    if not is_ours:
        return
    recovery = Recovery(runs, records, this_process(None), settings.crashed_after)
    for run in runs.unfinished(ids=[told.flow_run_id]).runs:
        recovery.end(run)
    for run in runs.crashed_in_part().runs:  # the worker has been faster
        if run.id == told.flow_run_id:
            recovery.end_tasks(run)


def _worker_ended(worker: str | None, settings: Settings, client: SyncPrefectClient, flow_run: FlowRun) -> str | None:
    """What ended the run, if its worker has ended too: a worker that is asked to end first kills its flow runs.

    A worker that goes on soon reports the flow run as Crashed.
    """
    owner = Owner.parse(worker or "")
    container = ContainerStart.parse(owner.host) if owner else None
    if owner is None or (container is not None and container.id in (flow_run.infrastructure_pid or "")):
        return None  # the container is of the flow run itself, so no worker was in it
    deadline = time.monotonic() + WORKER_SECONDS
    with closing(connect_engine(settings)) as engine:
        observer = this_process(engine)
        while time.monotonic() < deadline:
            if is_over(str(owner), observer, engine):
                return "the end of its worker"
            state = client.read_flow_run(flow_run.id).state
            if state is not None and state.is_crashed():
                return None
            time.sleep(1)
    return None


_STATES: Mapping[RunStatus, Callable[..., State[object]]] = {
    RunStatus.PASSED: Completed,
    RunStatus.FAILED: Failed,
    RunStatus.ERROR: Failed,
    RunStatus.CANCELLED: Cancelled,
}
