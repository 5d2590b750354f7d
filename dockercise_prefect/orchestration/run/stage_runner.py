"""One stage inside its task run: its log opened, its container run, its end recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.record import KeptVolume, RunRecord
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

PutAway: TypeAlias = Callable[[Stage, Lines, KeptVolume | None], None]
"""Told when all of a stage is in its record: the stage, the last lines of its log, how its volume is kept if it is."""


@dataclass(frozen=True, slots=True)
class CurrentTask:
    """The task run that a stage runs in.

    Attributes:
        id: None outside of one.
        logger: of the task run.
    """

    id: str | None
    logger: PrefectLogger


class StageRunner:
    """Runs the stages of one run, several at once, each in the thread of its task run.

    Args:
        workspace: runs containers.
        record: what became of each stage.
        outputs: what stages print.
        options: of the run.
        texts: of variables.
        secrecy: says what must not be shown.
        current_task: the task run of the thread that asks.
        shipping: gives for each stage what takes its lines elsewhere.
        put_away: told when a stage is done with; from several threads.
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
        put_away: PutAway,
    ) -> None:
        self._workspace = workspace
        self._record = record
        self._outputs = outputs
        self._ports = StagePorts(texts=texts, outputs=outputs)
        self._options = options
        self._secrecy = secrecy
        self._current_task = current_task
        self._shipping = shipping
        self._put_away = put_away

    def run(self, stage: Stage, inputs: Inputs) -> JobResult:
        """Run the stage; however it ends is in the result and in the record."""
        task = self._current_task()
        self._record.stage_started(stage, datetime.now(UTC), task.id)
        result, tail = self._run(stage, inputs, task.logger)
        self._record.stage_ended(stage, result, self._outputs.kept(stage, result), task.id)
        self._outputs.learn(stage.name)
        self._workspace.put_away(stage, result, partial(self._keep, stage, tail))
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

    def _keep(self, stage: Stage, tail: Lines, files: Iterator[bytes] | None) -> None:
        """Keep what the stage left in its volume (`runtime.files.volume_export.KeepVolume`)."""
        volume = None
        if files is None:
            self._record.leave_volume_out(stage)
        else:
            volume = self._record.keep_volume(stage, files)
        self._put_away(stage, tail, volume)


def _say_failure(result: JobResult, logger: PrefectLogger) -> None:
    """Log a failure as an error, so that it can be found by its level. Its lines were logged before that, as they came."""
    if result.status.to_blame:
        logger.error("%s", result.message)
    elif result.status is StageStatus.TOLERATED:
        logger.warning("%s", result.message)
