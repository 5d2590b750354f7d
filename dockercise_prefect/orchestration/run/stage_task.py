"""A stage as a Prefect task: one task and one task run, both named after the stage (LANGUAGE section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import RunInput, State, TaskRunResult
from prefect.client.schemas.objects import TaskRun as PrefectRecord
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import UpstreamTaskError
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import AwaitingRetry, Cancelled, Completed, Crashed, Failed, Retrying
from prefect.utilities.engine import emit_task_run_state_change_event

from dockercise_prefect.orchestration.run.stage_log import PrefectLogger
from dockercise_prefect.orchestration.run.stage_runner import Inputs
from dockercise_prefect.orchestration.scheduling.ports import Pausing
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus

StageFuture: TypeAlias = PrefectFuture[JobResult]

NOT_STARTED = "NotStarted"
SKIPPED = "Skipped"
"""The names of the final states of stages that will never start."""


class PrefectTaskRun:
    """A task run in Prefect (`scheduling.ports.TaskRun`).

    Args:
        future: of the task run.
        results: gets the result before the task run ends. Prefect itself returns an exception for some final states.
    """

    def __init__(self, future: StageFuture, results: Sequence[JobResult]) -> None:
        self.future = future
        self._results = results

    @property
    def task_run_id(self) -> UUID:
        """See `TaskRun`."""
        return self.future.task_run_id

    @property
    def failure(self) -> str | None:
        """See `TaskRun`."""
        return self.future.state.message

    def wait(self) -> JobResult | None:
        """See `TaskRun`."""
        self.future.wait()
        return next(iter(self._results), None)

    def when_ended(self, then: Callable[[], None]) -> None:
        """See `TaskRun`."""
        self.future.add_done_callback(lambda _future: then())


class PrefectTaskRuns:
    """Submits task runs to the flow's task runner (`scheduling.ports.TaskRuns`).

    Args:
        run: runs a stage, in a thread of the task runner.
    """

    def __init__(self, run: Callable[[Stage, Inputs, Pausing], JobResult]) -> None:
        self._run = run

    def submit(
        self, stage: Stage, needed: Mapping[StageName, PrefectTaskRun], inputs: Mapping[StageName, JobResult], pause: Pausing
    ) -> PrefectTaskRun:
        """See `TaskRuns`."""
        results: list[JobResult] = []

        def run_stage(needs: None) -> State[Any]:  # noqa: ARG001  Prefect ties the edges to an argument
            results.append(self._run(stage, inputs, pause))
            return final_state(results[0])

        return PrefectTaskRun(_submitted(_task(stage, run_stage, lambda: stage.name), needed), results)

    def show(
        self, stage: Stage, status: StageStatus, message: str, needed: Mapping[StageName, PrefectTaskRun]
    ) -> PrefectTaskRun:
        """See `TaskRuns`. The task run gets its own final state, has its edges, and takes no time.

        The task refuses to run when Prefect's engine asks for its name, before it would start. Then this method, in the flow's
        own thread, sends the state.
        """
        refused: list[PrefectRecord] = []

        def never_run(needs: None) -> None:  # noqa: ARG001  as above
            raise AssertionError(f"{stage.name} was run although it must not start")

        def name_and_refuse() -> str:
            context = TaskRunContext.get()
            if context is not None:
                context.task_run.name = stage.name
                refused.append(context.task_run)
            raise UpstreamTaskError(message)

        future = _submitted(_task(stage, never_run, name_and_refuse), needed)
        future.wait()
        for task_run in refused:
            _tell(task_run, status, message)
        return PrefectTaskRun(future, [])


def _submitted(task: Task[..., Any], needed: Mapping[StageName, PrefectTaskRun]) -> StageFuture:
    """Submit a task with edges to the task runs that it needs.

    The futures themselves are not passed to Prefect: it would not run a task after one that failed. All of them have ended.
    """
    context = FlowRunContext.get()
    if context is None:
        raise RuntimeError("stages are submitted in a flow run")
    edges: set[RunInput] = {TaskRunResult(id=task_run.task_run_id) for task_run in needed.values()}
    future: StageFuture = context.task_runner.submit(task, {"needs": None}, dependencies={"needs": edges})
    return future


class ShownTask:
    """The task run of the calling thread (`stage_runner.CurrentTask`). Must be made in a task run."""

    def __init__(self) -> None:
        context = TaskRunContext.get()
        self._task_run = context.task_run if context else None
        self.logger: PrefectLogger = get_run_logger()

    @property
    def id(self) -> str | None:
        """See `CurrentTask`."""
        return str(self._task_run.id) if self._task_run else None

    def awaits_retry(self, seconds: float, message: str | None) -> None:
        """See `CurrentTask`."""
        self._enter(AwaitingRetry(scheduled_time=datetime.now(UTC) + timedelta(seconds=seconds), message=message))

    def retries(self) -> None:
        """See `CurrentTask`."""
        self._enter(Retrying())

    def _enter(self, state: State[Any]) -> None:
        """Send the state as an event, and keep it for Prefect's task engine, which sends the final state itself."""
        task_run = self._task_run
        if task_run is None:
            return
        before = task_run.state
        state.state_details.task_run_id = task_run.id
        state.state_details.flow_run_id = task_run.flow_run_id
        task_run.state, task_run.state_id = state, state.id
        task_run.state_type, task_run.state_name = state.type, state.name
        if before is not None and before.is_running():
            task_run.total_run_time += state.timestamp - before.timestamp
        if state.is_running():
            task_run.run_count += 1
        emit_task_run_state_change_event(task_run=task_run, initial_state=before, validated_state=state)


def _tell(task_run: PrefectRecord, status: StageStatus, message: str) -> None:
    """Send the state as an event, as Prefect's task engine does."""
    state: State[Any]
    match status:
        case StageStatus.CACHED:
            state = Completed(name="Cached", message=message)
        case StageStatus.SKIPPED:
            state = Completed(name=SKIPPED, message=message)
        case StageStatus.NOT_STARTED:
            state = Cancelled(name=NOT_STARTED, message=message)
        case _:  # a group, whose members have ended
            state = final_state(StageSummary(status, message=message))
    over = task_run.model_copy(update={"start_time": state.timestamp, "end_time": state.timestamp})
    emit_task_run_state_change_event(task_run=over, initial_state=task_run.state, validated_state=state)


def final_state(result: JobResult | StageSummary) -> State[Any]:
    """The final state of the task run. Its type says whether consumers may start, its message says how the stage ended."""
    message = result.message
    match result.status:
        case StageStatus.PASSED:
            return Completed(message=message, data=result)
        case StageStatus.TOLERATED:
            return Completed(name="Tolerated", message=message, data=result)
        case StageStatus.FAILED:
            return Failed(message=message, data=result)
        case StageStatus.TIMED_OUT:
            return Failed(name="TimedOut", message=message, data=result)
        case StageStatus.CANCELLED:
            return Cancelled(message=message, data=result)
        case StageStatus.ERROR:
            return Crashed(message=message, data=result)
        case StageStatus.RUNNING | StageStatus.CACHED | StageStatus.SKIPPED | StageStatus.NOT_STARTED:
            raise ValueError(f"an attempt cannot end as {result.status}")
        case _:
            assert_never(result.status)


def _task(stage: Stage, function: Callable[..., Any], run_name: Callable[[], str]) -> Task[..., Any]:
    # Values are passed on in memory only: a persisted result or a cache key would write them to disk. A stage is run once, even
    # if PREFECT_TASKS_DEFAULT_RETRIES is set, because its effects cannot be undone.
    return Task(
        function,
        name=stage.written_name,
        task_run_name=run_name,
        retries=0,
        persist_result=False,
        cache_policy=NO_CACHE,
        log_prints=False,
    )
