"""Finds and ends the records of runs whose processes died."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.orchestration.crash.left_run import wants_cleanup
from dockercise_prefect.orchestration.crash.unfinished import UnfinishedRun
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.place import parse_place, shown
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.records import RUN_ID
from dockercise_prefect.results.record.owner_mark import OwnerMark, owner_of
from dockercise_prefect.results.record.unsent import UNSENT, NotWaitingError, UnsentRun, unsent_runs
from dockercise_prefect.results.report.runs_page import update_runs_page
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.results.upkeep.dead_run import Death, PageOfRun, end_dead_run
from dockercise_prefect.runtime.cleanup.ownership import Owner, Sight, seen_together, sight
from dockercise_prefect.settings import Settings


class DeadRecords:
    """Ends records in the place of results, in other places that a flow run names, and of unsent records.

    Args:
        settings: say where results and unsent records are.
        page: builds the page of a run.
    """

    def __init__(self, settings: Settings, page: PageOfRun) -> None:
        self._settings = settings
        self._page = page

    def of(self, run: UnfinishedRun) -> RecordedRun | None:
        """The record of a flow run, as its sign of life names it; otherwise the record with its name.

        None if there is no record, or if it is in a folder of another machine.

        Raises:
            StorageError: the place cannot be read.
        """
        place, pipeline, run_id = _place_of(run) or (self._settings.results, run.pipeline or "", run.name)
        if not RUN_ID.fullmatch(run_id) or not pipeline or "/" in pipeline:
            return None
        unsent = UnsentRun(self._settings.data / UNSENT / run_id)
        if unsent.record(pipeline).is_dir():
            return RecordedRun(FolderObjects(unsent.folder), pipeline, run_id)
        try:
            found = RecordedRun(open_objects(place, self._settings), pipeline, run_id)
        except UsageError:
            return None
        return found if run_id in found.objects.folders(pipeline) else None

    def wants_cleanup(self, run: UnfinishedRun) -> Path | None:
        """The folder of the record of a dead run, if its clean-up stages are to run (`meta.cleanupAfterCrash`).

        Raises:
            StorageError: the place cannot be read.
        """
        record = self.of(run)
        if record is None or not record.objects.url.startswith("file:"):
            return None
        folder = Path(shown(record.url))
        return folder if wants_cleanup(folder) else None

    def end(self, record: RecordedRun, death: Death) -> RunSummary | None:
        """Write the summary of a record. None if it has ended in the meantime, or if its process lives after all.

        Raises:
            StorageError: the record cannot be written.
        """
        folder = self._settings.data / UNSENT / record.run_id
        if record.objects.url != folder.as_uri():
            summary = end_dead_run(record, death, self._page)
            if summary is not None:
                with suppress(StorageError):  # the next run of the pipeline writes the list again
                    update_runs_page(record.objects, record.pipeline)
            return summary
        try:
            with UnsentRun(folder).held():
                return end_dead_run(record, death, self._page)
        except NotWaitingError:
            return None

    def without_process(self, observer: Owner) -> Iterator[tuple[RecordedRun, Death]]:
        """The records on this machine that have no summary, and whose processes are dead for sure.

        Raises:
            StorageError: a place cannot be read.
        """
        yield from self._unsent(observer)
        parsed = parse_place(self._settings.results)
        if not isinstance(parsed, Path):
            return
        objects = open_objects(self._settings.results, self._settings)
        for path in sorted(parsed.glob("*/*/.owner")):
            run, mark = RecordedRun(objects, path.parent.parent.name, path.parent.name), owner_of(path.parent)
            if not RUN_ID.fullmatch(run.run_id) or mark is None or run.is_over():
                continue
            if _seen(mark, observer) is Sight.DEAD:
                yield run, death_of(path.parent)

    def _unsent(self, observer: Owner) -> Iterator[tuple[RecordedRun, Death]]:
        """The unsent records without a summary. A living run holds the lock of its record, which `end` takes.

        If its process has died, but its guardian lives, nobody holds the lock for a moment.
        """
        for unsent in unsent_runs(self._settings.data):
            try:
                pipeline = unsent.destination.pipeline
            except StorageError:  # nobody knows where the record belongs
                continue
            folder = unsent.record(pipeline)
            run = RecordedRun(FolderObjects(unsent.folder), pipeline, unsent.run_id)
            mark = owner_of(folder)
            if mark is not None and _seen(mark, observer) is Sight.ALIVE:
                continue
            if folder.is_dir() and not run.is_over() and unsent.is_idle():
                yield run, death_of(folder)


def _seen(mark: OwnerMark, observer: Owner) -> Sight:
    return seen_together([mark.owner, mark.guardian], partial(sight, observer=observer))


def death_of(folder: Path) -> Death:
    """What is known about the end of a run's process, from the folder of its record on this machine."""
    mark = owner_of(folder)
    owner = Owner.parse(mark.owner) if mark else None
    death = Death(lost(owner.host if owner else "this machine"), _last_change(folder))
    return replace(death, flow_run_id=mark.flow_run_id, flow_run_url=mark.flow_run_url) if mark else death


def lost(host: str) -> str:
    """What happened to a run, for its record and for Prefect."""
    return f"the run's process ended without a word on {host}"


def _place_of(run: UnfinishedRun) -> tuple[str, str, str] | None:
    """The place, the pipeline and the run id of the record that a flow run names."""
    url = run.sign.record if run.sign else None
    if url is None or url.count("/") < 3:  # noqa: PLR2004  a place, a pipeline, a run
        return None
    place, pipeline, run_id = url.rsplit("/", 2)
    return (shown(place), unquote(pipeline), unquote(run_id)) if url.startswith("file:") else (place, pipeline, run_id)


def _last_change(folder: Path) -> datetime:
    """When a file of the record was changed last."""
    times = [path.stat().st_mtime for path in folder.iterdir()]
    return datetime.fromtimestamp(max(times, default=folder.stat().st_mtime), UTC)
