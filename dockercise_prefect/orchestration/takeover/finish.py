"""Finishes a run whose process has died, as its process would have done."""

from __future__ import annotations

from contextlib import ExitStack, closing
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Crashed, Failed

from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.orchestration.crash.left_run import LeftRun
from dockercise_prefect.orchestration.prefect.artifacts import Artifacts
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.prefect.flow_run import flow_runs_named, is_retried
from dockercise_prefect.orchestration.prefect.heartbeat import beating
from dockercise_prefect.orchestration.run.ending import Ending
from dockercise_prefect.orchestration.run.events import Event, RunEnded
from dockercise_prefect.orchestration.run.execution import Executed, identity_of, runtime_options, stages_in
from dockercise_prefect.orchestration.run.failure import headline
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.phases import Resolved
from dockercise_prefect.orchestration.run.prefect_view import PrefectView
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_runner import ReusesNothing
from dockercise_prefect.orchestration.run.stage_task import final_state
from dockercise_prefect.orchestration.scheduling.decisions import StageEnd
from dockercise_prefect.orchestration.takeover.flow_run_context import inside
from dockercise_prefect.orchestration.takeover.interrupted import Interrupted
from dockercise_prefect.orchestration.takeover.knowledge import Knowledge, unshown
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.pipeline.conditions import without
from dockercise_prefect.results.opening import open_store
from dockercise_prefect.results.record.shipment import open_shipment
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.upkeep.dead_run import RAN
from dockercise_prefect.runtime.cleanup.labels import GUARDIAN, Labels
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.settings import Settings
from dockercise_prefect.status import RunStatus, StageStatus


class RunDiedError(DockerciseError):
    """The process of the run has died, although nobody asked the run to end."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a run is finished by another process.

    Attributes:
        cancelled_by: what asked the run to end; None if nothing did.
        message: what happened, for the record and for Prefect.
    """

    cancelled_by: str | None
    message: str

    @property
    def stop(self) -> Stop:
        """How stages end that were running."""
        if self.cancelled_by is None:
            return Stop(StageStatus.ERROR, RAN)
        return Stop(StageStatus.CANCELLED, f"cancelled: {self.reason}")

    @property
    def reason(self) -> str:
        """Why no further ordinary stage starts."""
        if self.cancelled_by is None:
            return "the run's process ended first"
        return f"the run was cancelled by {self.cancelled_by}"


def finish(
    left: LeftRun, knowledge: Knowledge, cause: Cause, *, flow_run: FlowRun, client: SyncPrefectClient, options: RunOptions
) -> RunSummary:
    """Finish a run: end what runs, run the clean-up stages, complete the record, and set the final state of the flow run.

    If the flow run has been retried since, its state is left alone.

    Nothing of the run stays on the engine. Call this in the main thread, and only if nobody else finishes the run
    (`Journal.finishing`).

    Args:
        left: what its process has left.
        knowledge: what is known of it besides.
        cause: why.
        flow_run: its flow run.
        client: of Prefect's API.
        options: of the run.

    Raises:
        StorageError: another process writes or sends the record.
        httpx.HTTPError, PrefectException: Prefect does not answer. The record is complete nevertheless.
    """
    ended: list[RunSummary] = []

    def observe(event: Event) -> None:
        if isinstance(event, RunEnded):
            ended.append(event.summary)

    options = replace(options, observer=observe)
    is_ours = not is_retried(flow_run, left.facts.attempt)
    with ExitStack() as stack:
        stack.enter_context(inside(flow_run, left.pipeline.name, client))
        run = _continued(left, knowledge, options, flow_run)
        if is_ours:  # otherwise, the signs of life are those of the next attempt
            stack.enter_context(beating(flow_run)).has_record(run.store.url)
        with Ending(run) as ending:
            ending.executed(_cleaned_up(run, left, knowledge, cause))
            if cause.cancelled_by is None:
                raise RunDiedError(cause.message)
        ending.close()
        for name in left.interrupted:
            _end_task(client, left.stages[name], run.record.stage(name))
        if not is_retried(client.read_flow_run(flow_run.id), left.facts.attempt):
            client.set_flow_run_state(flow_run.id, _final_state(ended[0], cause), force=True)
    return ended[0]


def options_of(left: LeftRun, settings: Settings) -> RunOptions:
    """The options of a run, as far as they matter for its end.

    Args:
        left: the run.
        settings: of this machine.
    """
    facts = left.facts
    return RunOptions(
        settings=replace(settings, root=None, untrusted=settings.untrusted or facts.untrusted),
        secret_blocks=facts.secret_blocks,
        commit=facts.commit,
        git=facts.git,
        aws=facts.aws,
    )


def read_flow_run(left: LeftRun, client: SyncPrefectClient) -> FlowRun:
    """The flow run of a run.

    Raises:
        httpx.HTTPError, PrefectException: Prefect does not answer, or does not know it.
    """
    return client.read_flow_run(UUID(left.facts.flow_run_id))


def _continued(left: LeftRun, knowledge: Knowledge, options: RunOptions, flow_run: FlowRun) -> Resolved:
    facts, run_id = left.facts, left.recorded.run_id
    pipeline = unshown(knowledge.pipeline, [name for name in left.interrupted if name not in left.results], knowledge.outside)
    secrecy = Secrecy(pipeline)
    secrecy.begin(knowledge.outside)
    context = copy_context()

    def notify(text: str) -> None:
        run.notify(text)

    store = open_store(facts.place, pipeline.name, run_id, options.settings, notify)
    store.resume(to_json(pipeline, facts.targets))
    record = RunRecord(store, options.observer, secrecy)
    record.resume(left.stages, left.kept)
    run = Resolved(
        pipeline=pipeline,
        options=options,
        flow_run=flow_run,
        context=context,
        started=left.recorded.began,
        run_id=run_id,
        secrecy=secrecy,
        targets=facts.targets,
        commit=facts.commit,
        git=facts.git,
        skipped={**facts.skipped, **knowledge.refused},
        store=store,
        record=record,
        shipment=open_shipment(f"{pipeline.name}/{run_id}", options.settings, notify),
        view=PrefectView(pipeline, record, store, Artifacts(flow_run.id, notify), flow_runs_named),
        outside=knowledge.outside,
    )
    return run


def _cleaned_up(run: Resolved, left: LeftRun, knowledge: Knowledge, cause: Cause) -> Executed:
    """End what runs on the engine, run the clean-up stages, and remove everything of the run."""
    try:
        with closing(connect_engine(run.options.settings)) as engine:
            _claim(engine, run)
            try:
                _run_cleanup(engine, run, left, knowledge, cause)
            finally:
                _remove_everything(engine, run)
    except EngineError:
        for name, stage in run.record.stages().items():
            if stage.status is StageStatus.RUNNING:
                run.record.stage_broke(run.pipeline.find(name), RAN, stage.task_run_id)
        raise
    return Executed(cause.cancelled_by, left.code_digest)


def _claim(engine: Engine, run: Resolved) -> None:
    """Make something of the run that belongs to this process, so that nobody else takes the run for dead."""
    labels = Labels(identity_of(run), str(this_process(engine)))
    engine.create_volume(labels.name("claim"), labels.of_run())


def _reuses_nothing(_outputs: RunOutputs) -> ReusesNothing:
    return ReusesNothing()


def _run_cleanup(engine: Engine, run: Resolved, left: LeftRun, knowledge: Knowledge, cause: Cause) -> None:
    identity = identity_of(run)
    may_run = [
        stage.name
        for stage in run.pipeline
        if stage.when.cleans_up and not left.has_ended(stage.name) and stage.name not in run.skipped
    ]
    pipeline = without(run.pipeline, [stage.name for stage in run.pipeline if stage.name not in may_run])
    root = Path(left.facts.root) if left.facts.root is not None and Path(left.facts.root).is_dir() else None
    how = replace(runtime_options(run, root), shared=left.shared)
    with (
        Workspace(engine, pipeline, identity, how, run.notify) as workspace,
        stages_in(workspace, run, _reuses_nothing) as stages,
    ):
        stages.outputs.recall(left.results.values())
        ended = Interrupted(engine=engine, run=run, left=left, identity=identity, stop=cause.stop).end()
        if cause.cancelled_by is None:
            run.record.run_died()
        else:
            run.record.run_cancelled(cause.cancelled_by)
        for name, result in ended.items():
            shown = _without_secrets(run, knowledge, result)
            stages.runner.settle(run.pipeline.find(name), shown, left.stages[name].task_run_id)
        there = {each.id for each in engine.leftovers() if each.kind == "container"}
        for name, result in left.results.items():  # the process may have died before it had stored their volumes
            if name not in ended and name in left.stages and result.container in there:
                stages.runner.put_away(run.pipeline.find(name), _without_secrets(run, knowledge, result), [])
        results = {**left.results, **ended}
        if any(name not in ended for name in may_run):
            workspace.prepare()
            workspace.resume(results.values())
        known = run.record.stages().items()
        ends = {name: _end_of(summary) for name, summary in known if summary.status is not StageStatus.RUNNING}
        stages.scheduler.clean_up(ends, results, cause.reason)
        run.record.bundle_outputs(run.pipeline)


def _without_secrets(run: Resolved, knowledge: Knowledge, result: JobResult) -> JobResult:
    """The result without a container to read the volume through, if the volume may have secrets that nobody knows any more."""
    is_safe = knowledge.all_secrets or not run.secrecy.because(run.pipeline.find(result.stage))
    return result if is_safe else replace(result, container=None)


def _end_of(summary: StageSummary) -> StageEnd:
    return StageEnd(summary.status, summary.exit_code, summary.because)


def _remove_everything(engine: Engine, run: Resolved) -> None:
    identity = identity_of(run)
    mine = [each for each in engine.leftovers() if identity.owns(each.labels) and GUARDIAN not in each.labels]
    stuck = remove_all(engine, mine)
    if stuck:
        left = counted(leftover for leftover, _ in stuck)
        run.notify(f"not everything of this run was removed from the engine: {left}: {stuck[0][1].message}")


def _end_task(client: SyncPrefectClient, before: StageSummary, now: StageSummary) -> None:
    """Set the final state of the task run in which the dead process has run a stage.

    Args:
        client: of Prefect's API.
        before: the stage when the process died.
        now: the stage at the end of the run. If it was run again, it has another task run.
    """
    if before.task_run_id is not None:
        state = final_state(now) if now.task_run_id == before.task_run_id else Crashed(message=f"{RAN}; it was run again")
        client.set_task_run_state(UUID(before.task_run_id), state, force=True)


def _final_state(summary: RunSummary, cause: Cause) -> State[object]:
    if cause.cancelled_by is None:
        return Crashed(message=cause.message)
    state = Cancelled if summary.status is RunStatus.CANCELLED else Failed
    return state(message=headline(summary))
