"""One stage inside its task run: its log opened, its container run, its end recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.record import KeptVolume, RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_log import StageLog, silent
from dockercise_prefect.orchestration.run.stage_task import Inputs
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.files.volume_export import KeepVolume
from dockercise_prefect.runtime.stage.outcome import StageResult
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.status import StageStatus

Shipping: TypeAlias = Callable[[StageName], Callable[[str], None]]
Lines: TypeAlias = list[str]

PutAway: TypeAlias = Callable[[Stage, Lines, KeptVolume | None], None]
"""Told when all of a stage is in its record: the stage, the last lines of its log, how its volume is kept if it is."""


class StageRunner:
    """Runs the stages of one run, several at once, each in the thread of its task run.

    Args:
        workspace: runs containers.
        record: what became of each stage.
        options: of the run.
        outside: for each stage, its variables from outside.
        secrecy: says what must not be shown.
        shipping: gives for each stage what takes its lines elsewhere.
        put_away: told when a stage is done with; from several threads.
    """

    def __init__(
        self,
        *,
        workspace: Workspace,
        record: RunRecord,
        options: RunOptions,
        outside: Mapping[StageName, Mapping[str, str]],
        secrecy: Secrecy,
        shipping: Shipping,
        put_away: PutAway,
    ) -> None:
        self._workspace = workspace
        self._record = record
        self._options = options
        self._outside = outside
        self._secrecy = secrecy
        self._shipping = shipping
        self._put_away = put_away

    def run(self, stage: Stage, inputs: Inputs) -> StageResult:
        """Run the stage; however it ends is in the result and in the record."""
        task_run_id = _task_run_id()
        self._record.stage_started(stage, datetime.now(UTC), task_run_id)
        ended: Future[Lines] = Future()
        try:
            result, tail = self._run(stage, inputs, partial(self._keep, stage, ended))
            self._record.stage_ended(stage, result, task_run_id)
        except BaseException:
            ended.cancel()  # whoever waits for it has nothing to wait for
            raise
        ended.set_result(tail)
        return result

    def _run(self, stage: Stage, inputs: Inputs, keep: KeepVolume) -> tuple[StageResult, Lines]:
        outside = self._outside.get(stage.name, {})
        if stage.no_log:
            result, tail = self._workspace.run_stage(stage, outside, inputs, silent, keep), []
        else:
            with closing(self._log(stage)) as log:
                result = self._workspace.run_stage(stage, outside, inputs, log, keep)
            tail = log.tail
        result = self._secrecy.masked(result)
        _say_failure(result)
        return result, tail

    def _log(self, stage: Stage) -> StageLog:
        return StageLog(
            stage.name,
            self._record.log(stage),
            get_run_logger(),
            self._options.observer,
            self._shipping(stage.name),
            where=self._record.url,
            budget=self._options.settings.log_lines,
        )

    def _keep(self, stage: Stage, ended: Future[Lines], files: Iterator[bytes] | None) -> None:
        """Perhaps before the stage's end is on record, which it has to be first; with files always in the background."""
        if files is None:
            ended.add_done_callback(lambda _: self._leave_out(stage, ended))
        elif _is_over(ended):
            self._finish(stage, ended, self._record.keep_volume(stage, files))

    def _leave_out(self, stage: Stage, ended: Future[Lines]) -> None:
        self._record.leave_volume_out(stage)
        self._finish(stage, ended, None)

    def _finish(self, stage: Stage, ended: Future[Lines], volume: KeptVolume | None) -> None:
        if not ended.cancelled():
            self._put_away(stage, ended.result(), volume)


def _say_failure(result: StageResult) -> None:
    """Log a failure as an error, so that it can be found by its level. Its lines were logged before that, as they came."""
    if result.status.to_blame:
        get_run_logger().error("%s", result.message)
    elif result.status is StageStatus.TOLERATED:
        get_run_logger().warning("%s", result.message)


def _is_over(ended: Future[Lines]) -> bool:
    """Wait for the end; False when it never came."""
    wait([ended])
    return not ended.cancelled()


def _task_run_id() -> str | None:
    context = TaskRunContext.get()
    return str(context.task_run.id) if context else None
