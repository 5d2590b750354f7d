"""A run of the scheduler without Prefect and without an engine, for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.scheduling.approvals import Question
from dockercise_prefect.orchestration.scheduling.ports import Pausing
from dockercise_prefect.orchestration.scheduling.scheduler import Scheduler
from dockercise_prefect.orchestration.scheduling.turns import NoTurns, TurnTaking
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import ApprovalSummary
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.status import StageStatus

NOW = datetime(2026, 11, 29, tzinfo=UTC)

GO = threading.Event()
GO.set()


@dataclass
class Task:
    """A task run in a thread."""

    task_run_id: str
    failure: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    result: JobResult | None = None

    def wait(self) -> JobResult | None:
        """See `TaskRun`."""
        assert self.ended.wait(60)
        return self.result

    def when_ended(self, then: Callable[[], None]) -> None:
        """See `TaskRun`."""

        def tell() -> None:
            self.wait()
            then()

        threading.Thread(target=tell, daemon=True).start()


@dataclass
class Tasks:
    """Runs stages in threads (`ports.TaskRuns`).

    Attributes:
        statuses: how stages end; the others pass. `RUNNING` stands for a task that breaks without a result.
        gates: what stages wait for before they end; the others wait for nothing.
        pauses: how long stages wait between attempts. resumed: whether they were allowed to go on.
        submitted: names, in order. blocked: name to message. shown: reused stages, name to message.
        groups: how groups ended, name to status and message.
        most: the largest number of tasks at the same time.
        inputs: for each submitted stage, the stages whose results it got.
    """

    record: RunRecord
    statuses: Mapping[StageName, StageStatus] = field(default_factory=dict)
    gates: Mapping[StageName, threading.Event] = field(default_factory=dict)
    submitted: list[StageName] = field(default_factory=list)
    blocked: dict[StageName, str] = field(default_factory=dict)
    shown: dict[StageName, str] = field(default_factory=dict)
    pauses: Mapping[StageName, list[float]] = field(default_factory=dict)
    resumed: dict[StageName, bool] = field(default_factory=dict)
    inputs: dict[StageName, set[StageName]] = field(default_factory=dict)
    results: dict[StageName, JobResult] = field(default_factory=dict)
    groups: dict[StageName, str] = field(default_factory=dict)
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(
        self, stage: Stage, needed: Mapping[StageName, Task], inputs: Mapping[StageName, JobResult], pause: Pausing
    ) -> Task:
        """See `TaskRuns`."""
        if stage.each is None and not self.groups:  # a group has the task run, and its members have the results
            assert inputs.keys() <= needed.keys() <= set(stage.needs)
        self.inputs[stage.name] = set(inputs)
        assert all(task.ended.is_set() for task in needed.values())
        self.submitted.append(stage.name)
        task = Task(stage.name)
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        threading.Thread(target=self._run, args=(stage, task, pause), daemon=True).start()
        return task

    def show(self, stage: Stage, status: StageStatus, message: str, needed: Mapping[StageName, Task]) -> Task:
        """See `TaskRuns`."""
        if stage.is_group:
            self.groups[stage.name] = f"{status.value}: {message}"
        else:
            assert needed.keys() <= set(stage.needs) or self.groups
            assert status in {StageStatus.SKIPPED, StageStatus.NOT_STARTED, StageStatus.CACHED, StageStatus.TIMED_OUT}
            (self.shown if status is StageStatus.CACHED else self.blocked)[stage.name] = message
        task = Task(stage.name)
        task.ended.set()
        return task

    def _run(self, stage: Stage, task: Task, pause: Pausing) -> None:
        self.record.stage_started(stage, NOW, task.task_run_id)
        assert self.gates.get(stage.name, GO).wait(60)
        for seconds in self.pauses.get(stage.name, ()):
            with self._lock:
                self._now -= 1
            self.resumed[stage.name] = pause(seconds)
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
        status = self.statuses.get(stage.name, StageStatus.PASSED)
        if status is StageStatus.RUNNING:
            task.failure = "it broke"
        else:
            result = JobResult(stage=stage.name, attempt=1, status=status, exit_code=0, message=None, started=NOW, finished=NOW)
            self.record.stage_ended(stage, result, Kept(), task.task_run_id)
            task.result = self.results[stage.name] = result
        with self._lock:
            self._now -= 1
        task.ended.set()


@dataclass
class Store:
    """What earlier runs have made (`ports.Reuse`).

    Attributes:
        made: stages that need not run. closed: for each stage, the stages whose volumes must be read first.
    """

    made: str = ""
    closed: Mapping[StageName, str] = field(default_factory=dict)
    read: set[StageName] = field(default_factory=set)
    asked: list[StageName] = field(default_factory=list)

    def is_open(self, stage: Stage, inputs: Mapping[StageName, JobResult]) -> bool:
        """See `Reuse`."""
        assert set(inputs) <= set(stage.needs)
        return not self.read.issuperset(self.closed.get(stage.name, ""))

    def volume_read(self, result: JobResult) -> None:
        """See `Reuse`."""
        self.read.add(result.stage)

    def find(self, stage: Stage, inputs: Mapping[StageName, JobResult]) -> JobResult | None:
        """See `Reuse`."""
        self.asked.append(stage.name)
        if stage.name not in self.made:
            return None
        return JobResult(
            stage=stage.name,
            attempt=1,
            status=StageStatus.CACHED,
            exit_code=0,
            message="as in run 1",
            started=NOW,
            finished=NOW,
        )


@dataclass
class Lines:
    """Makes the members of groups (`ports.Members`).

    Attributes:
        printed: the keys of the members of each group; an error if they cannot be made.
    """

    printed: dict[StageName, Sequence[str] | DockerciseError] = field(default_factory=dict)

    def of(self, group: Stage, inputs: Mapping[StageName, JobResult]) -> Sequence[Stage]:
        """See `Members`."""
        assert set(inputs) <= set(group.needs)
        keys = self.printed[group.name]
        if isinstance(keys, DockerciseError):
            raise keys
        return [group.member(key) for key in keys]


@dataclass
class World:
    """One run of the scheduler. It is also what the scheduler controls (`ports.Control`), and what asks people (`Asking`).

    Attributes:
        asked: the requests of the scheduler: `stop: …`, `stop clean-up: …`, `kill`, `abandon`, `ask: …`, `withdraw`.
    """

    pipeline: Pipeline
    record: RunRecord
    tasks: Tasks
    asked: list[str] = field(default_factory=list)
    skipped: Mapping[StageName, str] = field(default_factory=dict)
    reasons: list[Stop] = field(default_factory=list)
    scheduler: list[Scheduler[Task]] = field(default_factory=list)
    store: Store = field(default_factory=Store)
    lines: Lines = field(default_factory=Lines)
    turns: TurnTaking = field(default_factory=NoTurns)
    on_ask: Callable[[Sequence[Question]], None] = lambda _questions: None
    on_stop: Callable[[], None] = lambda: None
    on_stop_cleanup: Callable[[], None] = lambda: None
    on_kill: Callable[[], None] = lambda: None
    on_abandon: Callable[[], None] = lambda: None

    def execute(self, jobs: int = 10, *, fail_fast: bool = False) -> str | None:
        """Run the scheduler, and return its answer."""
        scheduler = Scheduler(
            self.pipeline,
            skipped=self.skipped,
            tasks=self.tasks,
            record=self.record,
            reuse=self.store,
            members=self.lines,
            asking=self,
            taking=self.turns,
            jobs=jobs,
            fail_fast=fail_fast,
            control=self,
        )
        self.scheduler.append(scheduler)
        return scheduler.execute()

    def stop(self, reason: str, stop: Stop) -> None:
        """See `Control`."""
        self.asked.append(f"stop: {reason}")
        self.reasons.append(stop)
        self.on_stop()

    def stop_cleanup(self, stop: Stop) -> None:
        """See `Control`."""
        self.asked.append(f"stop clean-up: {stop.message}")
        self.on_stop_cleanup()

    def kill(self) -> None:
        """See `Control`."""
        self.asked.append("kill")
        self.on_kill()

    def abandon(self) -> None:
        """See `Control`."""
        self.asked.append("abandon")
        self.on_abandon()

    def ask(self, questions: Sequence[Question]) -> None:
        """See `Asking`."""
        self.asked.append(f"ask: {', '.join(question.name for question in questions)}")
        self.on_ask(questions)

    def withdraw(self) -> None:
        """See `Asking`."""
        self.asked.append("withdraw")

    def answer(self, **answers: Literal["yes", "no", "none"]) -> None:
        """Answer the questions about these stages."""
        self.scheduler[0].answered({name: ApprovalSummary(answer, NOW.isoformat(), "ann") for name, answer in answers.items()})

    def statuses(self) -> dict[StageName, str]:
        """How each stage ended, according to the record."""
        return {name: summary.status.value for name, summary in self.record.stages().items()}
