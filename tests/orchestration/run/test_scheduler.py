"""The scheduler without Prefect: when it submits task runs, and what it does after a failure or a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.run import scheduler as module
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.scheduler import Scheduler
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, Stage, StageName, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.runtime.stage.job import JobResult
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
    """Runs stages in threads (`scheduler.TaskRuns`).

    Attributes:
        statuses: how stages end; the others pass. `RUNNING` stands for a task that breaks without a result.
        gates: what stages wait for before they end; the others wait for nothing.
        submitted: names, in order. blocked: name to message. most: the largest number of tasks at the same time.
    """

    record: RunRecord
    statuses: Mapping[StageName, StageStatus] = field(default_factory=dict)
    gates: Mapping[StageName, threading.Event] = field(default_factory=dict)
    submitted: list[StageName] = field(default_factory=list)
    blocked: dict[StageName, str] = field(default_factory=dict)
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, stage: Stage, needed: Mapping[StageName, Task]) -> Task:
        """See `TaskRuns`."""
        assert needed.keys() == set(stage.needs)
        assert all(task.ended.is_set() for task in needed.values())
        self.submitted.append(stage.name)
        task = Task(stage.name)
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        threading.Thread(target=self._run, args=(stage, task), daemon=True).start()
        return task

    def submit_blocked(self, stage: Stage, message: str, needed: Mapping[StageName, Task]) -> Task:
        """See `TaskRuns`."""
        assert needed.keys() == set(stage.needs)
        self.blocked[stage.name] = message
        task = Task(stage.name)
        task.ended.set()
        return task

    def _run(self, stage: Stage, task: Task) -> None:
        self.record.stage_started(stage, NOW, task.task_run_id)
        assert self.gates.get(stage.name, GO).wait(60)
        status = self.statuses.get(stage.name, StageStatus.PASSED)
        if status is StageStatus.RUNNING:
            task.failure = "it broke"
        else:
            result = JobResult(stage=stage.name, attempt=1, status=status, exit_code=0, message=None, started=NOW, finished=NOW)
            self.record.stage_ended(stage, result, Kept(), task.task_run_id)
            task.result = result
        with self._lock:
            self._now -= 1
        task.ended.set()


@dataclass
class World:
    """One run of the scheduler.

    Attributes:
        asked: the requests of the scheduler: `stop: …`, `kill`, `abandon`.
    """

    pipeline: Pipeline
    record: RunRecord
    tasks: Tasks
    asked: list[str] = field(default_factory=list)
    on_stop: Callable[[], None] = lambda: None
    on_kill: Callable[[], None] = lambda: None
    on_abandon: Callable[[], None] = lambda: None

    def execute(self, jobs: int = 10, *, fail_fast: bool = False) -> str | None:
        """Run the scheduler, and return its answer."""

        def stop(reason: str) -> None:
            self.asked.append(f"stop: {reason}")
            self.on_stop()

        def kill() -> None:
            self.asked.append("kill")
            self.on_kill()

        def abandon() -> None:
            self.asked.append("abandon")
            self.on_abandon()

        scheduler = Scheduler(
            self.pipeline,
            tasks=self.tasks,
            record=self.record,
            jobs=jobs,
            fail_fast=fail_fast,
            stop=stop,
            kill=kill,
            abandon=abandon,
        )
        return scheduler.execute()

    def statuses(self) -> dict[StageName, str]:
        """How each stage ended, according to the record."""
        return {name: summary.status.value for name, summary in self.record.stages().items()}


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    """Makes runs of pipelines, from a mapping of each stage's name to the names that it needs."""

    def make(edges: dict[str, str], **how: Mapping[StageName, object]) -> World:
        stages: dict[StageName, Stage] = {}
        for name, needs in edges.items():
            stages[name] = stage(name, image="i", run="x", after=[stages[needed] for needed in needs])
        pipeline = Pipeline("p", list(stages.values()))
        store = LocalStore(tmp_path, "p", "run")
        store.start(to_json(pipeline))
        record = RunRecord(store, lambda _event: None, Secrecy(pipeline))
        return World(pipeline, record, Tasks(record, **how))  # type: ignore[arg-type]  # free keywords

    return make


def test_stages_are_submitted_when_all_they_need_has_ended(world: Callable[..., World]) -> None:
    """The stages of a diamond run in its order, and all of them pass."""
    run = world({"a": "", "b": "a", "c": "a", "d": "bc"})

    assert run.execute() is None

    assert (run.tasks.submitted[0], run.tasks.submitted[-1]) == ("a", "d")
    assert run.statuses() == dict.fromkeys("abcd", "passed")
    assert run.asked == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_run_at_once_than_asked(world: Callable[..., World], jobs: int) -> None:
    """Of ten independent stages, at most `jobs` are submitted at the same time."""
    run = world(dict.fromkeys("abcdefghij", ""))

    run.execute(jobs)

    assert sorted(run.tasks.submitted) == list("abcdefghij")
    assert run.tasks.most <= jobs


def test_what_comes_after_a_failure_is_blocked(world: Callable[..., World]) -> None:
    """Stages after a failure never start and name the failed stage; others go on."""
    run = world({"a": "", "b": "a", "c": "b", "o": ""}, statuses={"a": StageStatus.FAILED})

    run.execute()

    assert run.tasks.blocked == {"b": "not started: a failed", "c": "not started: a failed"}
    assert run.statuses() == {"a": "failed", "b": "not_started", "c": "not_started", "o": "passed"}


def test_a_task_that_breaks_is_an_error(world: Callable[..., World]) -> None:
    """A task run that ends without a result is an error of ours, and blocks the stages after it."""
    run = world({"a": "", "b": "a"}, statuses={"a": StageStatus.RUNNING})

    run.execute()

    assert run.record.stage("a").message == "internal error: it broke"
    assert run.statuses() == {"a": "error", "b": "not_started"}


def test_the_first_failure_stops_the_rest_where_asked(world: Callable[..., World]) -> None:
    """With `fail_fast`, running stages are stopped and no more are submitted."""
    gate = threading.Event()
    run = world({"a": "", "s": "", "n": "s"}, statuses={"a": StageStatus.FAILED}, gates={"s": gate})
    run.on_stop = gate.set

    run.execute(fail_fast=True)

    assert run.asked == ["stop: a failed and the run fails fast"]
    assert sorted(run.tasks.submitted) == ["a", "s"]
    assert run.record.stage("n").message == "not started: a failed and the run fails fast"


def test_a_signal_stops_the_run(world: Callable[..., World]) -> None:
    """The first signal asks the running stages to end, and becomes the scheduler's answer."""
    gate = threading.Event()
    run = world({"a": "", "b": "a"}, gates={"a": gate}, statuses={"a": StageStatus.CANCELLED})
    run.on_stop = gate.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run.execute() == "SIGTERM"

    assert run.asked == ["stop: the run was cancelled by SIGTERM"]
    assert run.statuses() == {"a": "cancelled", "b": "not_started"}


def test_further_signals_kill_and_then_nothing_is_waited_for(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second signal kills; if the engine does not answer in time, the running stages are abandoned."""
    monkeypatch.setattr(module, "KILL_SECONDS", 0.1)
    gate = threading.Event()
    run = world({"a": ""}, gates={"a": gate}, statuses={"a": StageStatus.CANCELLED})
    run.on_stop = lambda: os.kill(os.getpid(), signal.SIGINT)
    run.on_abandon = gate.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run.execute() == "SIGINT"

    assert run.asked == ["stop: the run was cancelled by SIGTERM", "kill", "abandon"]
