"""The record of a run while it happens: what each stage came to, kept by the store and told to the observer.

A store that fails does not decide over stages: the run goes on, and ends in error with what the store said first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.events import Notice, Observer, StageEnded, StageStarted
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.store import LogWriter, RunStore
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.runtime.outcome import StageResult
from dockercise_prefect.status import StageStatus


class RunRecord:
    """One run's record; every method may be called from any thread.

    Args:
        store: keeps it.
        observer: is told.
    """

    def __init__(self, store: RunStore, observer: Observer) -> None:
        self._store = store
        self._observer = observer
        self._lock = threading.Lock()
        self._stages: dict[StageName, StageSummary] = {}
        self._storage_error: str | None = None

    @property
    def storage_error(self) -> str | None:
        """What the store said when it first failed, None when it never did."""
        return self._storage_error

    def stages(self) -> dict[StageName, StageSummary]:
        """What is known of each stage that was started or will never be."""
        with self._lock:
            return dict(self._stages)

    def stage_started(self, stage: Stage, started: datetime, task_run_id: str | None) -> None:
        """The stage's task run began."""
        summary = StageSummary(StageStatus.RUNNING, started=started.isoformat(), task_run_id=task_run_id)
        self._note(stage.name, summary)
        self._keep(lambda: self._store.stage_started(stage.name, summary))
        self._observer(StageStarted(stage.name))

    def log(self, stage: Stage) -> LogWriter:
        """Where the stage's output goes."""
        return self._store.log(stage.name)

    def stage_ended(self, stage: Stage, result: StageResult, task_run_id: str | None) -> None:
        """The stage ran and ended. The value of a `noLog` stage is kept out of the record."""
        value = None if stage.no_log else result.output.value().decode("utf-8", errors="replace")
        summary = StageSummary(
            result.status,
            exit_code=result.exit_code,
            started=result.started.isoformat(),
            finished=result.finished.isoformat(),
            image_digest=result.image_digest,
            task_run_id=task_run_id,
            message=result.message,
        )
        self._end(stage, summary, value)

    def stage_not_started(self, stage: Stage, message: str, task_run_id: str | None) -> None:
        """The stage will never start; `message` says why."""
        self._end(stage, StageSummary(StageStatus.NOT_STARTED, task_run_id=task_run_id, message=message), None)

    def stage_broke(self, stage: Stage, message: str, task_run_id: str | None) -> None:
        """We failed at the stage, in a way that left no result."""
        self._end(stage, StageSummary(StageStatus.ERROR, task_run_id=task_run_id, message=message), None)

    def _end(self, stage: Stage, summary: StageSummary, value: str | None) -> None:
        self._note(stage.name, summary)
        self._keep(lambda: self._store.stage_ended(stage.name, summary, value))
        self._observer(StageEnded(stage.name, summary))

    def _note(self, name: StageName, summary: StageSummary) -> None:
        with self._lock:
            self._stages[name] = summary

    def _keep(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StorageError as error:
            with self._lock:
                first = self._storage_error is None
                self._storage_error = self._storage_error or error.message
            if first:
                self._observer(Notice(f"results cannot be kept: {error}"))
