"""Finds the records that are not wanted any more, and removes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.records import RUN_ID, pipelines_in
from dockercise_prefect.results.record.file_names import SUMMARY
from dockercise_prefect.results.report.runs_page import update_runs_page
from dockercise_prefect.results.upkeep.retention import Limits, StoredRun, surplus


@dataclass(frozen=True, slots=True)
class UnwantedRecord:
    """A record that exceeds a limit.

    Attributes:
        size: the bytes of all its files.
        why: which limit.
    """

    run: RecordedRun
    size: int
    why: str

    def remove(self) -> None:
        """Remove the record. No other record needs it: the archives of its volumes refer only to each other.

        Raises:
            StorageError: the place refuses, or does not answer.
        """
        self.run.objects.remove_folder(self.run.path, SUMMARY)


def unwanted(objects: Objects, limits: Limits, now: datetime) -> Iterator[UnwantedRecord]:
    """The records in a place that exceed the limits, pipeline by pipeline. One listing for each pipeline.

    Raises:
        StorageError: the place cannot be read.
    """
    for pipeline in pipelines_in(objects):
        for stored, why in surplus(_stored(objects, pipeline), limits, now):
            yield UnwantedRecord(RecordedRun(objects, pipeline, stored.run_id), stored.size, why)


def refresh_pages(objects: Objects, pipelines: set[str]) -> None:
    """Write the lists of runs of these pipelines again.

    Raises:
        StorageError: the place cannot be written.
    """
    for pipeline in sorted(pipelines):
        update_runs_page(objects, pipeline)


def _stored(objects: Objects, pipeline: str) -> list[StoredRun]:
    files: dict[str, dict[str, int]] = defaultdict(dict)
    for path, size in objects.sizes(pipeline).items():
        run_id, _, name = path.partition("/")
        if name and RUN_ID.fullmatch(run_id):
            files[run_id][name] = size
    return [
        StoredRun(run_id, RecordedRun(objects, pipeline, run_id).began, sum(sizes.values()), SUMMARY in sizes)
        for run_id, sizes in files.items()
    ]
