"""Ends the record of a run whose process died: it gets the summary that the process could not write."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.run_view import RunView, look
from dockercise_prefect.results.record.amend import rewrite_summary
from dockercise_prefect.results.record.file_names import INDEX, REPORT
from dockercise_prefect.results.record.journal import Journal
from dockercise_prefect.results.record.owner_mark import remove_scraps, unmark_owner
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus

RAN = "the run's process ended while this stage ran"
NEVER_STARTED = "not started: the run's process ended first"

PageOfRun: TypeAlias = Callable[[Path, Pipeline, RunSummary], str]
"""Builds the page of a run from the folder of its record, the pipeline and the summary."""


@dataclass(frozen=True, slots=True)
class Death:
    """What is known about the end of a run's process.

    Attributes:
        error: what happened, in one line.
        at: the last sign of life.
        flow_run_id: the id of the flow run in Prefect; None if it is not known.
        flow_run_url: its page.
    """

    error: str
    at: datetime
    flow_run_id: str | None = None
    flow_run_url: str | None = None


def end_dead_run(run: RecordedRun, death: Death, page: PageOfRun) -> RunSummary | None:
    """Write the summary of a run whose process is dead. Stages that ran are in error, and the others never started.

    Everything else in the record stays as it is: logs and outputs up to the death of the process.

    Args:
        run: the record.
        death: what happened.
        page: builds `report.html`. Used only if the record is a folder on this machine.

    Returns:
        The summary; None if the record has a summary already, or if there is no record.

    Raises:
        StorageError: the record cannot be read or written.
    """
    folder = Path(shown(run.url)) if run.objects.url.startswith("file:") else None
    if not (run.has(INDEX) if folder is None else folder.is_dir()):
        return None
    view = look(run)
    if view.summary is not None:
        return None
    summary = _summary(view, death)
    if folder is not None:
        remove_scraps(folder)
        with suppress(StorageError):  # the summary says everything, and the record can be read without its page
            _put_page(run, view, summary, page, folder)
        rewrite_summary(run.objects, summary)
        unmark_owner(folder)
        Journal(folder).remove()
    else:
        rewrite_summary(run.objects, summary)
    return summary


def _put_page(run: RecordedRun, view: RunView, summary: RunSummary, page: PageOfRun, folder: Path) -> None:
    try:
        text = page(folder, view.pipeline, summary)
    except Exception:  # noqa: BLE001  the record of a dead process may hold anything, and a page is not worth a failure
        return
    run.objects.put(f"{run.path}/{REPORT}", io.BytesIO(text.encode("utf-8", "replace")))


def _summary(view: RunView, death: Death) -> RunSummary:
    run = view.run
    return RunSummary(
        run_id=run.run_id,
        pipeline=run.pipeline,
        status=RunStatus.ERROR,
        error=death.error,
        started=run.began.isoformat(),
        finished=max(death.at, run.began).isoformat(),
        flow_run_id=death.flow_run_id,
        flow_run_url=death.flow_run_url,
        results=run.url,
        stages={stage.name: _ended(view.stages.get(stage.name)) for stage in view.pipeline},
    )


def _ended(stage: StageSummary | None) -> StageSummary:
    if stage is None:
        return StageSummary(StageStatus.NOT_STARTED, message=NEVER_STARTED)
    if stage.status is StageStatus.RUNNING:
        return replace(stage, status=StageStatus.ERROR, message=RAN)
    return stage
