"""A stage as a Prefect task: one task and one task run, both named after the stage (LANGUAGE section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.client.schemas.objects import TaskRun as PrefectRecord
from prefect.context import TaskRunContext
from prefect.exceptions import UpstreamTaskError
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Crashed, Failed
from prefect.utilities.engine import emit_task_run_state_change_event

from dockercise_prefect.orchestration.run.stage_runner import CurrentTask, Inputs
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus

StageFuture: TypeAlias = PrefectFuture[JobResult]

NOT_STARTED = "NotStarted"
"""The name of the final state of a stage that will never start."""


class PrefectTaskRun:
    """A task run in Prefect (`scheduler.TaskRun`).

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
    """Submits task runs to the flow's task runner (`scheduler.TaskRuns`).

    Args:
        run: runs a stage, in a thread of the task runner.
    """

    def __init__(self, run: Callable[[Stage, Inputs], JobResult]) -> None:
        self._run = run

    def submit(self, stage: Stage, needed: Mapping[StageName, PrefectTaskRun]) -> PrefectTaskRun:
        """See `TaskRuns`. Results are passed as futures, although all have ended, so that Prefect draws the edges."""
        results: list[JobResult] = []

        def run_stage(inputs: dict[StageName, JobResult]) -> State[Any]:
            results.append(self._run(stage, inputs))
            return final_state(results[0])

        return PrefectTaskRun(_task(stage, run_stage, lambda: stage.name).submit(inputs=_futures(needed)), results)

    def submit_blocked(self, stage: Stage, message: str, needed: Mapping[StageName, PrefectTaskRun]) -> PrefectTaskRun:
        """See `TaskRuns`. The task run gets its own final state, has its edges, and takes no time.

        If an upstream task failed, Prefect leaves a task run in NotReady, which is pending forever. So the task refuses to run
        when Prefect's engine asks for its name, before it would start. Then this method, in the flow's own thread, sends the
        state.
        """
        refused: list[PrefectRecord] = []

        def never_run(inputs: dict[StageName, JobResult]) -> None:
            raise AssertionError(f"{stage.name} was run with {sorted(inputs)} although it was blocked")

        def name_and_refuse() -> str:
            context = TaskRunContext.get()
            if context is not None:
                context.task_run.name = stage.name
                refused.append(context.task_run)
            raise UpstreamTaskError(message)

        future: StageFuture = _task(stage, never_run, name_and_refuse).submit(
            inputs={}, wait_for=list(_futures(needed).values())
        )
        future.wait()
        for task_run in refused:
            _tell_not_started(task_run, message)
        return PrefectTaskRun(future, [])


def _futures(needed: Mapping[StageName, PrefectTaskRun]) -> dict[StageName, StageFuture]:
    return {name: task_run.future for name, task_run in needed.items()}


def current_task() -> CurrentTask:
    """The task run of the calling thread. Must be called in a task run."""
    context = TaskRunContext.get()
    return CurrentTask(str(context.task_run.id) if context else None, get_run_logger())


def _tell_not_started(task_run: PrefectRecord, message: str) -> None:
    """Send the state as an event, as Prefect's task engine does."""
    state: State[Any] = Cancelled(name=NOT_STARTED, message=message)
    over = task_run.model_copy(update={"start_time": state.timestamp, "end_time": state.timestamp})
    emit_task_run_state_change_event(task_run=over, initial_state=task_run.state, validated_state=state)


def final_state(result: JobResult) -> State[Any]:
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
        name=stage.name,
        task_run_name=run_name,
        retries=0,
        persist_result=False,
        cache_policy=NO_CACHE,
        log_prints=False,
    )
