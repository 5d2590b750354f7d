"""Runs one stage inside its task run: opens its log, makes attempts, records its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Protocol, TypeAlias

from dockercise_prefect.orchestration.run.events import Notice
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_log import PrefectLogger, ServiceLogs, StageLog, silent
from dockercise_prefect.orchestration.scheduling.ports import NoReuse, Pausing, Reuse
from dockercise_prefect.orchestration.scheduling.retrying import delay_before_retry
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.results.summary import AttemptSummary
from dockercise_prefect.runtime.attempts import StagePorts
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume
from dockercise_prefect.runtime.stage.ports import Texts
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.status import StageStatus

Shipping: TypeAlias = Callable[[StageName], Callable[[str], None]]
Lines: TypeAlias = list[str]
Inputs: TypeAlias = Mapping[StageName, JobResult]

Show: TypeAlias = Callable[[Stage, JobResult, Lines], None]
"""Called when a stage is completely recorded, with the last lines of its log. The result names the files of the record."""


class CurrentTask(Protocol):
    """The task run that a stage runs in."""

    @property
    def id(self) -> str | None:
        """The id; None outside a task run."""
        ...

    @property
    def logger(self) -> PrefectLogger:
        """The logger of the task run."""
        ...

    def awaits_retry(self, seconds: float, message: str | None) -> None:
        """Show that the stage waits for its next attempt; `message` says how the last one ended."""
        ...

    def retries(self) -> None:
        """Show that the next attempt begins."""
        ...


class Reuses(Protocol):
    """Knows what may be reused (`orchestration.reuse.run_reuse.RunReuse`). Thread-safe."""

    @property
    def finding(self) -> Reuse:
        """Finds stages that need not run."""
        ...

    def why(self, stage: Stage) -> str | None:
        """The reason why a stage that can be reused is not; None if it cannot be reused, or never ran before."""
        ...

    def refusal(self, stage: Stage) -> str | None:
        """Why the stage must not run, although it is not reused; None if it may run."""
        ...

    def started(self, stage: Stage, inputs: Inputs) -> None:
        """The stage runs, with these results of the stages that it needs."""
        ...

    def listed(self, stage: Stage) -> Callable[[bytes], None] | None:
        """Returns what gets each entry of the list of the stage's volume (docs/digests.md); None if nobody wants it."""
        ...

    def settled(self, stage: Stage, result: JobResult) -> Iterable[Stage]:
        """Keep what a stage left for later runs. All of it is in the record already. Must not raise.

        Returns:
            The stages that have ended, and of which nothing more will be known: this one, or others that waited for it.
        """
        ...


class ReusesNothing:
    """Every stage runs, and nothing is kept for later runs (`Reuses`)."""

    @property
    def finding(self) -> Reuse:
        """See `Reuses`."""
        return NoReuse()

    def why(self, stage: Stage) -> None:
        """See `Reuses`."""

    def refusal(self, stage: Stage) -> None:
        """See `Reuses`."""

    def started(self, stage: Stage, inputs: Inputs) -> None:
        """See `Reuses`."""

    def listed(self, stage: Stage) -> None:
        """See `Reuses`."""

    def settled(self, stage: Stage, result: JobResult) -> Iterable[Stage]:  # noqa: ARG002  as in `Reuses`
        """See `Reuses`."""
        return (stage,)


@dataclass(frozen=True, slots=True)
class _Ran:
    """A stage that has ended: the result of its last attempt, the attempts before it, and the last lines of its log."""

    result: JobResult
    earlier: Sequence[AttemptSummary]
    tail: Lines


class StageRunner:
    """Runs the stages of one run. Several stages run at the same time, each in the thread of its task run.

    Args:
        workspace: runs containers.
        record: records the result of each stage.
        outputs: stores the output of stages.
        options: the options of the run.
        texts: the texts of variables.
        secrecy: says what must not be shown.
        current_task: returns the task run of the calling thread.
        shipping: returns, for each stage, a function that sends its lines to another place.
        reuse: knows what may be reused.
        volume_read: called, from several threads, when it is known what the volume of a stage holds, or that nobody will know.
        show: called when a stage is finished, from several threads.
    """

    def __init__(
        self,
        *,
        workspace: Workspace,
        record: RunRecord,
        outputs: RunOutputs,
        options: RunOptions,
        texts: Texts,
        secrecy: Secrecy,
        current_task: Callable[[], CurrentTask],
        shipping: Shipping,
        reuse: Reuses,
        volume_read: Callable[[JobResult], None],
        show: Show,
    ) -> None:
        self._workspace = workspace
        self._record = record
        self._outputs = outputs
        self._ports = StagePorts(texts=texts, outputs=outputs)
        self._options = options
        self._secrecy = secrecy
        self._current_task = current_task
        self._shipping = shipping
        self._reuse = reuse
        self._volume_read = volume_read
        self._show = show

    def run(self, stage: Stage, inputs: Inputs, pause: Pausing) -> JobResult:
        """Run the stage. Its end is in the result and in the record, even if it failed.

        Args:
            stage: the stage.
            inputs: the results of the stages that it needs, as far as they have one.
            pause: lets it wait for its next attempt.
        """
        task = self._current_task()
        self._record.stage_started(stage, datetime.now(UTC), task.id)
        if (refusal := self._reuse.refusal(stage)) is not None:
            ran = self._refused(stage, self._secrecy.masker.text(refusal), task)
        else:
            if (why := self._reuse.why(stage)) is not None:
                why = self._secrecy.masker.text(why)  # it can have the name of a file
                self._options.observer(Notice(f"{stage.name} is not reused: {why}"))
                task.logger.info("not reused: %s", why)
            self._reuse.started(stage, inputs)
            ran = self._run(stage, inputs, pause, task)
        self._settle(stage, ran, task.id)
        return ran.result

    def settle(self, stage: Stage, result: JobResult, task_run_id: str | None) -> None:
        """Record the end of a stage that another process has run."""
        self._settle(stage, _Ran(result, (), []), task_run_id)

    def put_away(self, stage: Stage, result: JobResult, tail: Lines) -> None:
        """Store what the last attempt left in its volume, and remove its container."""
        self._workspace.put_away(stage, result, partial(self._keep, stage, result, tail))

    def _settle(self, stage: Stage, ran: _Ran, task_run_id: str | None) -> None:
        kept = replace(self._outputs.kept(stage, ran.result), earlier_attempts=ran.earlier)
        # In this order: the record is searched for secrets that were known before, not for what the stage itself printed.
        self._record.stage_ended(stage, ran.result, kept, task_run_id)
        self._outputs.learn(stage.name)
        self.put_away(stage, ran.result, ran.tail)

    def _run(self, stage: Stage, inputs: Inputs, pause: Pausing, task: CurrentTask) -> _Ran:
        if stage.no_log:
            result, earlier = self._attempts(stage, inputs, pause, task, (silent, ServiceLogs({})))
            tail: Lines = []
        else:
            with closing(self._service_logs(stage)) as beside, closing(self._log(stage, task.logger)) as log:
                result, earlier = self._attempts(stage, inputs, pause, task, (log, beside))
            tail = log.tail
        _say_failure(result, task.logger)
        return _Ran(result, earlier, tail)

    def _refused(self, stage: Stage, refusal: str, task: CurrentTask) -> _Ran:
        now = datetime.now(UTC)
        result = JobResult(
            stage=stage.name,
            attempt=1,
            status=StageStatus.FAILED,
            exit_code=None,
            message=refusal,
            started=now,
            finished=now,
            stdout=self._outputs.writer(stage.name).close(),
        )
        _say_failure(result, task.logger)
        return _Ran(result, (), [])

    def _attempts(
        self, stage: Stage, inputs: Inputs, pause: Pausing, task: CurrentTask, logs: tuple[OutputSink, ServiceLogs]
    ) -> tuple[JobResult, Sequence[AttemptSummary]]:
        """Make attempts until one succeeds or no more are allowed. The result is that of the last one."""
        log, beside = logs
        ports = replace(self._ports, beside=beside.of)
        earlier: list[AttemptSummary] = []
        for number in count(1):
            if stage.retries is not None and stage.retries.times:
                line = f"[attempt {number} of at most {stage.retries.times + 1}]\n".encode()
                log("stderr", line)
                beside.begin(line)
            result = self._secrecy.masked(self._workspace.run_stage(stage, inputs, ports, log, number))
            delay = delay_before_retry(stage, result)
            if delay is None:
                break
            message = f"{_first_line(result)}; the next attempt begins {f'in {shown_seconds(delay)}' if delay else 'now'}"
            task.logger.warning("%s", message)
            task.awaits_retry(delay, message)
            if not pause(delay):
                break
            task.retries()
            earlier.append(_summary(result))
            self._workspace.discard(result)
        return result, earlier

    def _service_logs(self, stage: Stage) -> ServiceLogs:
        names = (service.name for service in stage.services)
        return ServiceLogs(dict(zip(names, map(self._record.log, stage.service_stages), strict=True)))

    def _log(self, stage: Stage, logger: PrefectLogger) -> StageLog:
        return StageLog(
            stage.name,
            self._record.log(stage),
            logger,
            self._options.observer,
            self._shipping(stage.name),
            where=self._record.url,
            budget=self._options.settings.log_lines,
        )

    def _keep(self, stage: Stage, result: JobResult, tail: Lines, files: Iterator[bytes] | None) -> None:
        """Store the content of the stage's volume (`runtime.files.volume_export.KeepVolume`)."""
        known = result
        try:
            if files is None or result.volume is None:
                self._record.leave_volume_out(stage)
                known = result if stage.no_log else replace(result, volume=_empty(result.volume))
            else:
                volume = self._record.keep_volume(stage, result.volume, files, self._reuse.listed(stage))
                known = result = replace(result, volume=volume)
        finally:  # whatever happens, somebody may wait for this
            self._volume_read(known)
        for settled in self._reuse.settled(stage, known):
            self._record.stage_settled(settled)
        self._show(stage, result, tail)


def _empty(volume: OwnVolume | None) -> OwnVolume | None:
    return None if volume is None else replace(volume, written=False)


def _summary(result: JobResult) -> AttemptSummary:
    return AttemptSummary(
        attempt=result.attempt,
        status=result.status,
        exit_code=result.exit_code,
        started=result.started.isoformat(),
        finished=result.finished.isoformat(),
        message=result.message,
    )


def _first_line(result: JobResult) -> str:
    return (result.message or result.status.value).partition("\n")[0]


def _say_failure(result: JobResult, logger: PrefectLogger) -> None:
    """Log a failure as an error, so that it can be found by its level. Its lines have already been logged."""
    if result.status.to_blame:
        logger.error("%s", result.message)
    elif result.status is StageStatus.TOLERATED:
        logger.warning("%s", result.message)
