"""One stage inside its task run: its log opened, its container run, its end recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from dockercise_prefect.orchestration.options import RunOptions
from dockercise_prefect.orchestration.record import RunRecord
from dockercise_prefect.orchestration.secrecy import Secrecy
from dockercise_prefect.orchestration.stage_log import StageLog, silent
from dockercise_prefect.orchestration.stage_task import Inputs
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.engine import OutputSink
from dockercise_prefect.runtime.outcome import StageResult
from dockercise_prefect.runtime.workspace import Workspace

Shipping: TypeAlias = Callable[[StageName], Callable[[str], None]]


class StageRunner:
    """Runs the stages of one run, several at once, each in the thread of its task run.

    Args:
        workspace: runs containers.
        record: what became of each stage.
        options: of the run.
        outside: for each stage, its variables from outside.
        secrecy: says what must not be shown.
        shipping: gives for each stage what takes its lines elsewhere.
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
    ) -> None:
        self._workspace = workspace
        self._record = record
        self._options = options
        self._outside = outside
        self._secrecy = secrecy
        self._shipping = shipping

    def run(self, stage: Stage, inputs: Inputs) -> StageResult:
        """Run the stage; however it ends is in the result and in the record."""
        task_run_id = _task_run_id()
        self._record.stage_started(stage, datetime.now(UTC), task_run_id)
        ended = threading.Event()
        with ExitStack() as stack:
            stack.callback(ended.set)  # in the end, however it ends
            with ExitStack() as logging:
                sink = self._sink(stage, logging)
                keep = partial(self._keep_volume, stage, ended)
                result = self._workspace.run_stage(stage, self._outside.get(stage.name, {}), inputs, sink, keep)
            result = self._secrecy.masked(result)
            self._record.stage_ended(stage, result, task_run_id)
        return result

    def _keep_volume(self, stage: Stage, ended: threading.Event, files: Iterator[bytes] | None) -> None:
        """In the background, perhaps before the stage's end is on record, which it has to be first."""
        if files is not None:
            ended.wait()
            self._record.keep_volume(stage, files)

    def _sink(self, stage: Stage, stack: ExitStack) -> OutputSink:
        if stage.no_log:
            return silent
        budget = self._options.settings.log_lines
        ship = self._shipping(stage.name)
        log = StageLog(stage.name, self._record.log(stage), get_run_logger(), self._options.observer, ship, budget=budget)
        return stack.enter_context(closing(log))


def _task_run_id() -> str | None:
    context = TaskRunContext.get()
    return str(context.task_run.id) if context else None
