"""Runs one stage inside its task run: opens its log, runs its container, records its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_log import PrefectLogger, StageLog, silent
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.ports import Texts
from dockercise_prefect.runtime.workspace import StagePorts, Workspace
from dockercise_prefect.status import StageStatus

Shipping: TypeAlias = Callable[[StageName], Callable[[str], None]]
Lines: TypeAlias = list[str]
Inputs: TypeAlias = Mapping[StageName, JobResult]

Show: TypeAlias = Callable[[Stage, JobResult, Lines], None]
"""Called when a stage is completely recorded, with the last lines of its log. The result names the files of the record."""


@dataclass(frozen=True, slots=True)
class CurrentTask:
    """The task run that a stage runs in.

    Attributes:
        id: the id; None outside a task run.
        logger: the logger of the task run.
    """

    id: str | None
    logger: PrefectLogger


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
        self._show = show

    def run(self, stage: Stage, inputs: Inputs) -> JobResult:
        """Run the stage. Its end is in the result and in the record, even if it failed."""
        task = self._current_task()
        self._record.stage_started(stage, datetime.now(UTC), task.id)
        result, tail = self._run(stage, inputs, task.logger)
        # In this order: the record is searched for secrets that were known before, not for what the stage itself printed.
        self._record.stage_ended(stage, result, self._outputs.kept(stage, result), task.id)
        self._outputs.learn(stage.name)
        self._workspace.put_away(stage, result, partial(self._keep, stage, result, tail))
        return result

    def _run(self, stage: Stage, inputs: Inputs, logger: PrefectLogger) -> tuple[JobResult, Lines]:
        if stage.no_log:
            result, tail = self._workspace.run_stage(stage, inputs, self._ports, silent), []
        else:
            with closing(self._log(stage, logger)) as log:
                result = self._workspace.run_stage(stage, inputs, self._ports, log)
            tail = log.tail
        result = self._secrecy.masked(result)
        _say_failure(result, logger)
        return result, tail

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
        if files is None or result.volume is None:
            self._record.leave_volume_out(stage)
        else:
            result = replace(result, volume=self._record.keep_volume(stage, result.volume, files))
        self._show(stage, result, tail)


def _say_failure(result: JobResult, logger: PrefectLogger) -> None:
    """Log a failure as an error, so that it can be found by its level. Its lines have already been logged."""
    if result.status.to_blame:
        logger.error("%s", result.message)
    elif result.status is StageStatus.TOLERATED:
        logger.warning("%s", result.message)
