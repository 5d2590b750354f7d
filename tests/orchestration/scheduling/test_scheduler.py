"""The scheduler without Prefect: when it submits task runs, and what it does after a failure or a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.scheduling import scheduler as module
from dockercise_prefect.orchestration.scheduling.ports import Pausing
from dockercise_prefect.orchestration.scheduling.scheduler import Scheduler
from dockercise_prefect.pipeline import Pipeline, Stage, StageName, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
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
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(
        self, stage: Stage, needed: Mapping[StageName, Task], inputs: Mapping[StageName, JobResult], pause: Pausing
    ) -> Task:
        """See `TaskRuns`."""
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
        assert needed.keys() <= set(stage.needs)
        assert status in {StageStatus.SKIPPED, StageStatus.NOT_STARTED, StageStatus.CACHED}
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
class World:
    """One run of the scheduler. It is also what the scheduler controls (`ports.Control`).

    Attributes:
        asked: the requests of the scheduler: `stop: …`, `stop clean-up: …`, `kill`, `abandon`.
    """

    pipeline: Pipeline
    record: RunRecord
    tasks: Tasks
    asked: list[str] = field(default_factory=list)
    skipped: Mapping[StageName, str] = field(default_factory=dict)
    reasons: list[Stop] = field(default_factory=list)
    scheduler: list[Scheduler[Task]] = field(default_factory=list)
    store: Store = field(default_factory=Store)
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

    def statuses(self) -> dict[StageName, str]:
        """How each stage ended, according to the record."""
        return {name: summary.status.value for name, summary in self.record.stages().items()}


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    """Makes runs of pipelines, from a mapping of each stage's name to the names that it needs.

    Upper-case names are those of `when: always` stages. `rules` are further arguments of the pipeline.
    """

    def make(edges: dict[str, str], rules: Mapping[str, Any] | None = None, **how: Mapping[StageName, object]) -> World:
        stages: dict[StageName, Stage] = {}
        for name, needs in edges.items():
            when = "always" if name.isupper() else "success"
            stages[name] = stage(name, image="i", run="x", when=when, after=[stages[needed] for needed in needs])
        pipeline = Pipeline("p", list(stages.values()), **(rules or {}))
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


def test_clean_up_runs_after_a_stop(world: Callable[..., World]) -> None:
    """After a signal, running stages are stopped, waiting ones are not started, and clean-up stages run with what there is."""
    gate = threading.Event()
    run = world({"a": "", "b": "a", "C": "ab"}, gates={"a": gate}, statuses={"a": StageStatus.CANCELLED})
    run.on_stop = gate.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run.execute() == "SIGTERM"

    assert run.statuses() == {"a": "cancelled", "b": "not_started", "C": "passed"}
    assert run.tasks.inputs["C"] == {"a"}
    assert run.record.standing == "cancelled"


def test_clean_up_has_a_time_limit(world: Callable[..., World]) -> None:
    """Clean-up stages that take too long after a stop are stopped, and no more of them start."""
    gate, clean = threading.Event(), threading.Event()
    run = world(
        {"a": "", "C": "a", "D": "C"},
        {"cleanup_grace": 0.1},
        gates={"a": gate, "C": clean},
        statuses={"a": StageStatus.CANCELLED, "C": StageStatus.CANCELLED},
    )
    run.on_stop, run.on_stop_cleanup = gate.set, clean.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    run.execute()

    assert run.asked[1:] == ["stop clean-up: cancelled: the clean-up took longer than 0.1s"]
    assert run.record.stage("D").message == "not started: the clean-up took longer than 0.1s"


def test_a_second_signal_ends_clean_up_too(world: Callable[..., World]) -> None:
    """The second signal kills clean-up stages, and those that wait never start."""
    gate, clean = threading.Event(), threading.Event()
    run = world(
        {"a": "", "C": "a", "D": "C"},
        gates={"a": gate, "C": clean},
        statuses={"a": StageStatus.CANCELLED, "C": StageStatus.CANCELLED},
    )
    run.on_stop, run.on_kill = gate.set, clean.set
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()

    run.execute()

    assert run.asked == ["stop: the run was cancelled by SIGTERM", "kill"]
    assert run.record.stage("D").message == "not started: the run was killed"


def test_a_run_that_takes_too_long_is_stopped(world: Callable[..., World]) -> None:
    """At the run's timeout, running stages are stopped as timed out, and the rest does not start."""
    gate = threading.Event()
    run = world({"a": "", "b": "a", "C": "b"}, {"timeout": 0.2}, gates={"a": gate}, statuses={"a": StageStatus.TIMED_OUT})
    run.on_stop = gate.set

    assert run.execute() is None

    assert run.reasons == [Stop(StageStatus.TIMED_OUT, "timed out: the run timed out after 0.2s")]
    assert run.record.stage("b").message == "not started: the run timed out after 0.2s"
    assert run.statuses() == {"a": "timed_out", "b": "not_started", "C": "passed"}
    assert run.record.standing == "failed"


def test_a_stage_between_attempts_needs_no_slot(world: Callable[..., World]) -> None:
    """While a stage waits for its next attempt, another one runs in its slot; then it gets one again."""
    gate = threading.Event()
    run = world({"a": "", "b": ""}, pauses={"a": [0.1]}, gates={"a": GO, "b": gate})
    threading.Timer(0.5, gate.set).start()

    run.execute(jobs=1)

    assert run.tasks.resumed == {"a": True}
    assert run.tasks.most == 1
    assert run.statuses() == {"a": "passed", "b": "passed"}


def test_a_stop_ends_the_wait_for_the_next_attempt(world: Callable[..., World]) -> None:
    """A stage that waits an hour for its next attempt ends at once when the run is stopped."""
    run = world({"a": ""}, pauses={"a": [3600.0]}, statuses={"a": StageStatus.FAILED})
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    run.execute()

    assert run.tasks.resumed == {"a": False}
    assert run.statuses() == {"a": "failed"}


def test_skipped_stages_are_recorded_with_the_reason(world: Callable[..., World]) -> None:
    """A stage that is skipped beforehand is no failure, and stages that come after it run."""
    run = world({"a": "", "b": "a"})
    run.skipped = {"a": "the branch is dev"}

    run.execute()

    assert run.record.stage("a").message == "skipped: the branch is dev"
    assert run.statuses() == {"a": "skipped", "b": "passed"}


def test_a_reused_stage_is_settled_without_a_task_run(world: Callable[..., World]) -> None:
    """What need not run takes no slot. The stages after it start at once, and have its result."""
    run = world({"a": "", "b": "a", "c": "b", "d": "c"})
    run.store.made = "abc"

    run.execute(1)

    assert run.tasks.submitted == ["d"]
    assert run.tasks.inputs == {"d": {"c"}}
    assert run.statuses() == {"a": "cached", "b": "cached", "c": "cached", "d": "passed"}


def test_only_what_a_running_stage_needs_is_shown(world: Callable[..., World]) -> None:
    """Of ten reused stages, those have a task run that a stage needs that runs. The first of them have none."""
    run = world({"a": "", "b": "a", "c": "b", "d": "", "e": "cd", "f": "e"})
    run.store.made = "abcd"

    run.execute()

    assert run.tasks.shown == dict.fromkeys("cd", "as in run 1")
    assert run.tasks.submitted == ["e", "f"]


def test_a_run_in_which_nothing_runs(world: Callable[..., World]) -> None:
    """If everything is reused, however long the chain is, there is no task run at all."""
    names = [chr(0x4E00 + number) for number in range(3000)]
    run = world(dict(zip(names, ["", *names], strict=False)))
    run.store.made = "".join(names)

    assert run.execute() is None

    assert (run.tasks.submitted, run.tasks.shown) == ([], {})
    assert set(run.statuses().values()) == {"cached"}


def test_a_stage_waits_for_the_content_of_a_volume(world: Callable[..., World]) -> None:
    """As long as nobody knows the content of a volume, it is not decided whether the stage after it runs; others go on."""
    run = world({"a": "", "b": "a", "c": "a", "d": "b"})
    run.store.made, run.store.closed = "b", {"b": "a"}

    def read() -> None:
        waiting = threading.Event()
        while "c" not in run.tasks.submitted:
            waiting.wait(0.01)
        run.store.read.add("a")
        run.scheduler[0].volume_read(run.tasks.results["a"])

    threading.Thread(target=read, daemon=True).start()
    run.execute()

    assert run.store.asked == ["a", "c", "b", "d"]
    assert run.statuses() == {"a": "passed", "b": "cached", "c": "passed", "d": "passed"}


def test_a_stop_ends_the_wait_for_a_volume(world: Callable[..., World]) -> None:
    """A stage that is not decided yet when the run is stopped never starts, even if the volume is never read."""
    run = world({"a": "", "b": "a", "c": ""})
    run.store.closed = {"b": "a"}
    gate = threading.Event()
    run.tasks.gates = {"c": gate}
    run.on_stop = gate.set

    def interrupt() -> None:
        waiting = threading.Event()
        while run.statuses().get("a") != "passed":
            waiting.wait(0.01)
        run.scheduler[0].interrupt("Prefect")

    threading.Thread(target=interrupt, daemon=True).start()

    assert run.execute() == "Prefect"

    assert run.statuses() == {"a": "passed", "b": "not_started", "c": "passed"}


def test_what_was_stopped_is_not_reused(world: Callable[..., World]) -> None:
    """After a failure with fail-fast, a stage that could be reused is not started, like any other."""
    run = world({"a": "", "b": "", "c": "b"}, statuses={"a": StageStatus.FAILED})
    gate = threading.Event()
    run.tasks.gates = {"b": gate}
    run.on_stop = gate.set
    run.store.made = "c"

    run.execute(fail_fast=True)

    assert run.statuses() == {"a": "failed", "b": "passed", "c": "not_started"}
