"""Runs a pipeline's stages as task runs from one ready queue.

A task run is submitted only when all stages that it needs have ended: a waiting task would occupy a thread, and many waiting
tasks would use up a bounded pool (FACTS section 2). The flow's own thread submits. Tasks and signals put messages in its inbox.

A run that is stopped goes on with its clean-up stages. A run that is over starts nothing more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Generic

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.errors import DockerciseError, StageError
from dockercise_prefect.orchestration.scheduling import messages
from dockercise_prefect.orchestration.scheduling.approvals import Approvals, Asking, end_without
from dockercise_prefect.orchestration.scheduling.decisions import Blocked, Decision, GroupOver, Ready, Skipped, StageEnd
from dockercise_prefect.orchestration.scheduling.groups import Groups
from dockercise_prefect.orchestration.scheduling.inbox import Inbox
from dockercise_prefect.orchestration.scheduling.pause import Pause
from dockercise_prefect.orchestration.scheduling.ports import Control, Members, Recorder, Reuse, T, TaskRuns
from dockercise_prefect.orchestration.scheduling.schedule import Schedule
from dockercise_prefect.orchestration.scheduling.slots import Slots
from dockercise_prefect.orchestration.scheduling.stopping import Stopping
from dockercise_prefect.orchestration.scheduling.turns import TurnTaking, Waiting
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.members import seeing_members
from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.results.summary import ApprovalSummary
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.signals import handled
from dockercise_prefect.status import StageStatus

KILL_SECONDS = 20.0
"""How many seconds an engine has to end the containers after a kill. A healthy engine needs less than one second."""

INSISTENT_SECONDS = 3.0
"""The same, if the user has sent another signal since."""


class Scheduler(Inbox, Generic[T]):
    """One run of one pipeline. `execute` is called once, in the flow's thread.

    Args:
        pipeline: the stages to run.
        skipped: the stages that are skipped whatever happens, each with the reason.
        tasks: submits task runs.
        record: is told of stages that never start, that need not run, or that end without a result.
        reuse: finds stages that need not run.
        members: makes the members of groups.
        asking: asks people whether stages may run.
        taking: knows whose turn it is.
        jobs: the maximum number of stages that run at the same time.
        fail_fast: whether to stop everything when the first stage does not succeed.
        control: stops what runs.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        skipped: Mapping[StageName, str],
        tasks: TaskRuns[T],
        record: Recorder,
        reuse: Reuse,
        members: Members,
        asking: Asking,
        taking: TurnTaking,
        jobs: int,
        fail_fast: bool,
        control: Control,
    ) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._tasks = tasks
        self._record = record
        self._reuse = reuse
        self._members = members
        self._slots = Slots(jobs, taking)
        self._approvals = Approvals(asking)
        self._fail_fast = fail_fast
        self._control = control
        self._schedule = Schedule(pipeline, skipped)
        self._groups = Groups()
        self._open: dict[StageName, Stage] = {}
        self._active: dict[StageName, Stage] = {}
        self._pauses: dict[StageName, Pause] = {}
        self._task_runs: dict[StageName, T] = {}
        self._results: dict[StageName, JobResult] = {}
        self._reused: dict[StageName, str] = {}
        self._began = time.monotonic()
        self._stopping = Stopping()
        self._cleaning_since: float | None = None
        self._killed: float | None = None
        self._patience = KILL_SECONDS

    def execute(self) -> str | None:
        """Run until every stage is settled, or until no stage runs any more after a stop.

        Returns:
            What interrupted the run, for example the name of a signal; None if nothing did.
        """
        self._run(self._schedule.first)
        return self._stopping.interrupted_by

    def clean_up(self, ends: Mapping[StageName, StageEnd], results: Mapping[StageName, JobResult], why: str) -> None:
        """Run the clean-up stages of a run whose process has died. Called in place of `execute`.

        Args:
            ends: how each stage ended that has ended, or will never start.
            results: the results of these stages, as far as they have one.
            why: the reason why no other stage starts: `the run was cancelled by Prefect`.
        """
        self._results.update(results)
        self._groups.recall(ends, self._pipeline)
        self._stopping.stop(why)
        self._cleaning_since = time.monotonic()
        self._schedule.stop()
        self._run(partial(self._schedule.resume, ends))

    def _run(self, begin: Callable[[], Iterator[Decision]]) -> None:
        with handled(lambda number: self.interrupt(number.name)):  # signals to end become messages
            with collector_paused():  # all stages may be reused
                self._take(begin())
            while self._goes_on or self._approvals.are_awaited:
                self._slots.fill(lambda: len(self._active) - len(self._pauses))
                if not self._goes_on:
                    self._approvals.ask()
                message = self.next()
                if message is not None:
                    self._handle(message)
                self._watch_the_time()
        for task_run in self._task_runs.values():
            task_run.wait()

    @property
    def signal_due(self) -> bool:
        """Whether the run was cancelled in Prefect, and a worker's SIGTERM for that may still come."""
        return self._stopping.signal_due

    @property
    def _goes_on(self) -> bool:
        return bool(self._active or self._open) or self._slots.are_awaited

    def _handle(self, message: messages.Message) -> None:
        match message:
            case messages.Ended(stage):
                del self._active[stage.name]
                self._pauses.pop(stage.name, None)
                self._slots.end_turn(stage)
                self._settle(stage)
            case messages.VolumeRead(result):
                self._results[result.stage] = result
                self._reuse.volume_read(result)
                self._decide_open()
            case messages.Interrupted(by):
                self._interrupt(by)
            case _:
                self._handle_waiting(message)

    def _handle_waiting(self, message: messages.Message) -> None:
        match message:
            case messages.Paused(pause, seconds):
                self._pauses[pause.stage.name] = pause
                if seconds:
                    self._slots.end_turn(pause.stage)
                if self._stopping.may_not_start(pause.stage):
                    pause.cut_short()
            case messages.Rested(pause):
                self._wait_for_slot(Waiting(pause.stage, partial(self._resume, pause), pause.refuse))
            case messages.HasTurn(stage):
                self._slots.has_turn(stage)
            case messages.Answered(answers):
                self._began += self._approvals.asked_for()  # the time of people is not the time of the run
                for stage, approval in self._approvals.answered(answers):
                    self._take(self._go_on(stage, approval))

    def _decide_open(self) -> None:
        """Decide about the stages that waited for the content of a volume."""
        waiting, self._open = self._open, {}
        self._take(Ready(stage) for stage in waiting.values())

    def _interrupt(self, by: str) -> None:
        if not self._stopping.is_new(by):
            return
        if self._killed is not None:
            self._patience = INSISTENT_SECONDS
        elif self._stopping.reason is not None:
            self._kill()
        self._stopping.interrupted_by = by
        self._record.run_cancelled(by)
        reason = f"the run was cancelled by {by}"
        self._stop(reason, Stop(StageStatus.CANCELLED, f"cancelled: {reason}"))

    def _watch_the_time(self) -> None:
        now = time.monotonic()
        timeout = self._pipeline.timeout
        if timeout is not None and not (self._stopping.reason or self._approvals.is_asking) and now - self._began > timeout:
            reason = f"the run timed out after {shown_seconds(timeout)}"
            self._stop(reason, Stop(StageStatus.TIMED_OUT, f"timed out: {reason}"))
        if self._stopping.reason is not None and self._stopping.over is None:
            if self._cleaning_since is None and all(stage.when.cleans_up for stage in self._active.values()):
                self._cleaning_since = now
            if self._cleaning_since is not None and now - self._cleaning_since > self._pipeline.cleanup_grace:
                reason = f"the clean-up took longer than {shown_seconds(self._pipeline.cleanup_grace)}"
                self._end(reason)
                self._control.stop_cleanup(Stop(StageStatus.CANCELLED, f"cancelled: {reason}"))
        if self._killed is not None and now - self._killed > self._patience:
            self._patience = math.inf
            self._control.abandon()

    def _settle(self, stage: Stage) -> None:
        task_run = self._task_runs[stage.name]
        result = task_run.wait()
        if result is None:
            self._record.stage_broke(stage, f"internal error: {task_run.failure}", str(task_run.task_run_id))
            end = StageEnd(StageStatus.ERROR)
        else:
            self._results.setdefault(stage.name, result)  # if its volume was read first, that result says more
            end = StageEnd(result.status, result.exit_code)
        self._take(self._ended(stage, end))

    def _ended(self, stage: Stage, end: StageEnd) -> Iterator[Decision]:
        if not end.status.succeeded and self._fail_fast:
            reason = f"{stage.name} failed and the run fails fast"
            self._stop(reason, Stop(StageStatus.CANCELLED, f"cancelled: {reason}"))
        return self._settled(stage, end)

    def _settled(self, stage: Stage, end: StageEnd) -> Iterator[Decision]:
        """The decisions that follow from the end of a stage, or of a member of a group."""
        is_member = stage.declared_name != stage.name
        return self._groups.settle(stage, end) if is_member else self._schedule.settle(stage.name, end)

    def _take(self, decisions: Iterator[Decision]) -> None:
        pending = [decisions]
        while pending:
            decision = next(pending[-1], None)
            if decision is None:
                pending.pop()
            elif isinstance(decision, Ready):
                pending.append(self._begin(seeing_members(decision.stage, self._groups.members)))
            elif isinstance(decision, GroupOver):
                pending.append(self._group_over(decision.stage, *self._groups.end_of(decision.stage)))
            else:
                self._carry_out(decision)

    def _begin(self, stage: Stage) -> Iterator[Decision]:
        """Reuse a stage that may start, and return the decisions that follow. If it has to run, there are none yet."""
        if self._stopping.may_not_start(stage):
            return self._refused(stage)
        if stage.is_group:  # its members may be reused
            return self._gated(stage)
        inputs = self._inputs(stage)
        if self._reuse.is_open(stage, inputs):
            self._open[stage.name] = stage
            return iter(())
        result = self._reuse.find(stage, inputs)
        if result is None:
            return self._gated(stage)
        self._results[stage.name] = result
        self._reused[stage.name] = result.message or ""
        self._record.stage_reused(stage, result)
        return self._settled(stage, StageEnd(StageStatus.CACHED, result.exit_code))

    def _gated(self, stage: Stage) -> Iterator[Decision]:
        """Let a stage wait until somebody has approved it, if somebody must, and then until it can start."""
        if stage.approve is None:
            return self._wait(stage)
        approval = self._approvals.answer_for(stage)
        return iter(()) if approval is None else self._go_on(stage, approval)

    def _go_on(self, stage: Stage, approval: ApprovalSummary) -> Iterator[Decision]:
        """Start a stage that was approved, or settle one that was not. Return the decisions that follow."""
        self._record.stage_answered(stage, approval)
        end = end_without(approval)
        if end is None:
            return self._wait(stage)
        self._never(stage, end.status, f"{end.status.value.replace('_', ' ')}: {approval.in_words}", None)
        return self._ended(stage, end)

    def _wait(self, stage: Stage) -> Iterator[Decision]:
        """Let a stage wait until it can start."""
        self._wait_for_slot(Waiting(stage, partial(self._start, stage), partial(self._never_started, stage)))
        return iter(())

    def _carry_out(self, decision: Skipped | Blocked) -> None:
        match decision:
            case Skipped(stage, why, because):
                self._never(stage, StageStatus.SKIPPED, f"skipped: {why}", because)
            case Blocked(stage, None):
                self._record.stage_never_ran(stage, StageStatus.NOT_STARTED, self._stopping.why_not(stage), None, None)
            case Blocked(stage, because):
                self._never(stage, StageStatus.NOT_STARTED, f"not started: {because} failed", because)

    def _wait_for_slot(self, waiting: Waiting) -> None:
        if self._stopping.may_not_start(waiting.stage):
            waiting.refuse()
        else:
            self._slots.wait(waiting)

    def _start(self, stage: Stage) -> None:
        if stage.is_group:
            self._take(self._open_group(stage))
            return
        self._show_reused(stage)
        task_run = self._tasks.submit(stage, self._needed(stage), self._inputs(stage), partial(self.pause, stage))
        self._task_runs[stage.name] = task_run
        self._active[stage.name] = stage
        task_run.when_ended(partial(self.tell, messages.Ended(stage)))

    def _open_group(self, group: Stage) -> Iterator[Decision]:
        """Make the members of a group. Members that may start wait for slots, and the group has none."""
        try:
            members = self._members.of(group, self._inputs(group))
        except DockerciseError as error:
            status = StageStatus.FAILED if isinstance(error, StageError) else StageStatus.ERROR
            return self._group_over(group, status, str(error))
        self._record.group_started(group)
        return self._groups.open(group, members)

    def _group_over(self, group: Stage, status: StageStatus, message: str) -> Iterator[Decision]:
        if status is StageStatus.CACHED:
            self._reused[group.name] = message
            task_run_id = None
        else:
            task_run_id = self._shown(group, status, message)
        self._record.group_ended(group, status, message, task_run_id)
        return self._schedule.settle(group.name, StageEnd(status))

    def _resume(self, pause: Pause) -> None:
        del self._pauses[pause.stage.name]
        pause.resume()

    def _never_started(self, stage: Stage) -> None:
        self._take(self._refused(stage))

    def _refused(self, stage: Stage) -> Iterator[Decision]:
        """A stage that was ready will never start, because the run was stopped. Return the decisions that follow."""
        self._slots.end_turn(stage)
        self._record.stage_never_ran(stage, StageStatus.NOT_STARTED, self._stopping.why_not(stage), None, None)
        return self._settled(stage, StageEnd(StageStatus.NOT_STARTED))

    def _never(self, stage: Stage, status: StageStatus, message: str, because: StageName | None) -> None:
        """A stage will never start."""
        self._record.stage_never_ran(stage, status, message, because, self._shown(stage, status, message))

    def _shown(self, stage: Stage, status: StageStatus, message: str) -> str:
        """Show a stage in Prefect that does not run, and return the id of its task run."""
        task_run = self._task_runs[stage.name] = self._tasks.show(stage, status, message, self._needed(stage))
        return str(task_run.task_run_id)

    def _inputs(self, stage: Stage) -> Mapping[StageName, JobResult]:
        return {name: self._results[name] for name in stage.needs if name in self._results}

    def _needed(self, stage: Stage) -> Mapping[StageName, T]:
        """The task runs of the stages that a stage needs; for a group, those of its members besides."""
        members = [member.name for member in self._groups.members.get(stage.name, ())]
        needs = [*self._pipeline.by_name[stage.declared_name].needs, *members]
        return {name: self._task_runs[name] for name in needs if name in self._task_runs}

    def _show_reused(self, stage: Stage) -> None:
        """Show the reused stages that a stage needs that runs. The other reused stages get no task runs."""
        for name in self._pipeline.by_name[stage.declared_name].needs:
            if name in self._reused and name not in self._task_runs:
                reused = self._pipeline.by_name[name]
                self._record.reused_shown(reused, self._shown(reused, StageStatus.CACHED, self._reused[name]))

    def _stop(self, reason: str, stop: Stop) -> None:
        """Stop ordinary stages. Clean-up stages go on, and may still start."""
        if self._stopping.reason is None:
            self._stopping.stop(reason)
            self._schedule.stop()
            self._control.stop(reason, stop)
            self._refuse_what_may_not_start()

    def _end(self, reason: str) -> None:
        """From here on, nothing starts any more."""
        self._stopping.end(reason)
        self._schedule.end()
        self._refuse_what_may_not_start()

    def _kill(self) -> None:
        self._killed = time.monotonic()
        self._control.kill()
        self._end("the run was killed")

    def _refuse_what_may_not_start(self) -> None:
        self._decide_open()
        for stage in self._approvals.refuse(self._stopping.may_not_start):
            self._never_started(stage)
        for pause in self._pauses.values():
            if self._stopping.may_not_start(pause.stage):
                pause.cut_short()
        self._slots.refuse(self._stopping.may_not_start)
