"""Runs a pipeline's stages as task runs from one ready queue.

A task run is submitted only when all stages that it needs have ended: a waiting task would occupy a thread, and many waiting
tasks would use up a bounded pool (FACTS section 2). The flow's own thread submits. Tasks and signals put messages in its inbox.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeAlias, TypeVar

from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.schedule import Blocked, Ready, Schedule
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.signals import handled

LONGEST_SLEEP = 0.25
"""The maximum number of seconds until a signal is noticed."""

KILL_SECONDS = 20.0
"""How many seconds an engine has to end the containers after a kill. A healthy engine needs less than one second."""

INSISTENT_SECONDS = 3.0
"""The same, if the user has sent another signal since."""


class TaskRun(Protocol):
    """A task run that was submitted. It ends by itself."""

    @property
    def task_run_id(self) -> object:
        """The id of the task run."""
        ...

    @property
    def failure(self) -> str | None:
        """How the task run failed, if it has ended without a result."""
        ...

    def wait(self) -> JobResult | None:
        """Wait until the task run has ended, and return its result; None if it has none."""
        ...

    def when_ended(self, then: Callable[[], None]) -> None:
        """Call `then` when the task run has ended, in any thread."""
        ...


T = TypeVar("T", bound=TaskRun)


class TaskRuns(Protocol[T]):
    """Submits task runs. Each is named after its stage. Used by one thread."""

    def submit(self, stage: Stage, needed: Mapping[StageName, T]) -> T:
        """Start to run a stage.

        Args:
            stage: the stage to run.
            needed: the task runs of all stages that it needs. They have ended.
        """
        ...

    def submit_blocked(self, stage: Stage, message: str, needed: Mapping[StageName, T]) -> T:
        """Show a stage that will never start. `message` says why."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """A task run is over."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The process was asked to end."""

    signal_name: str


Message: TypeAlias = Ended | Interrupted


class Scheduler(Generic[T]):
    """One run of one pipeline. `execute` is called once, in the flow's thread.

    Args:
        pipeline: the stages to run.
        tasks: submits task runs.
        record: is told of stages that never start, or that end without a result.
        jobs: the maximum number of stages that run at the same time.
        fail_fast: whether to stop everything when the first stage does not succeed.
        stop: asks the running stages to end, with a grace period; its argument says why.
        kill: ends the running stages immediately.
        abandon: makes stages that still run after that count as ended, because the engine does not answer.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        tasks: TaskRuns[T],
        record: RunRecord,
        jobs: int,
        fail_fast: bool,
        stop: Callable[[str], None],
        kill: Callable[[], None],
        abandon: Callable[[], None],
    ) -> None:
        self._pipeline = pipeline
        self._tasks = tasks
        self._record = record
        self._jobs = jobs
        self._fail_fast = fail_fast
        self._stop = stop
        self._kill = kill
        self._abandon = abandon
        self._schedule = Schedule(pipeline)
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._waiting: deque[Stage] = deque()
        self._running = 0
        self._task_runs: dict[StageName, T] = {}
        self._stopped: str | None = None
        self._interrupted_by: str | None = None
        self._killed: float | None = None
        self._patience = KILL_SECONDS

    def execute(self) -> str | None:
        """Run until every stage is settled, or until no stage runs any more after a stop.

        Returns:
            The name of the signal that interrupted the run; None if no signal came.
        """
        with handled(self._interrupted):  # signals to end become messages
            self._take(self._schedule.first())
            while self._running or self._waiting:
                self._submit()
                self._handle(self._next())
        for task_run in self._task_runs.values():
            task_run.wait()
        for stage in self._pipeline:
            if stage.name not in self._task_runs:
                self._record.stage_not_started(stage, f"not started: {self._stopped}", None)
        return self._interrupted_by

    def _submit(self) -> None:
        while self._waiting and self._running < self._jobs:
            stage = self._waiting.popleft()
            task_run = self._tasks.submit(stage, self._needed(stage))
            self._task_runs[stage.name] = task_run
            self._running += 1
            task_run.when_ended(partial(self._inbox.put, Ended(stage)))

    def _next(self) -> Message:
        """The next message. A signal that comes just before this thread begins to wait is handled only when the wait ends."""
        while True:
            with suppress(Empty):
                return self._inbox.get(timeout=LONGEST_SLEEP)
            if self._killed is not None and time.monotonic() - self._killed > self._patience:
                self._abandon()

    def _needed(self, stage: Stage) -> Mapping[StageName, T]:
        return {name: self._task_runs[name] for name in stage.needs}

    def _handle(self, message: Message) -> None:
        match message:
            case Ended(stage):
                self._running -= 1
                self._settle(stage)
            case Interrupted(name):
                if self._killed is not None:
                    self._patience = INSISTENT_SECONDS
                elif self._stopped is not None:
                    self._killed = time.monotonic()
                    self._kill()
                self._interrupted_by = name
                self._end_early(f"the run was cancelled by {name}")

    def _settle(self, stage: Stage) -> None:
        task_run = self._task_runs[stage.name]
        result = task_run.wait()
        if result is None:
            self._record.stage_broke(stage, f"internal error: {task_run.failure}", str(task_run.task_run_id))
        succeeded = result is not None and result.status.succeeded
        if not succeeded and self._fail_fast:
            self._end_early(f"{stage.name} failed and the run fails fast")
        self._take(self._schedule.settle(stage.name, succeeded=succeeded))

    def _take(self, news: Iterator[Ready | Blocked]) -> None:
        for item in news:
            if self._stopped is not None:
                continue
            match item:
                case Ready(stage):
                    self._waiting.append(stage)
                case Blocked(stage, because):
                    message = f"not started: {because} failed"
                    task_run = self._tasks.submit_blocked(stage, message, self._needed(stage))
                    self._task_runs[stage.name] = task_run
                    self._record.stage_not_started(stage, message, str(task_run.task_run_id))

    def _end_early(self, reason: str) -> None:
        if self._stopped is None:
            self._stopped = reason
            self._waiting.clear()
            self._stop(reason)

    def _interrupted(self, number: signal.Signals) -> None:
        self._inbox.put(Interrupted(number.name))
