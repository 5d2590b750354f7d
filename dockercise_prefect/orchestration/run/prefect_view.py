"""Shows a run and its stages in Prefect's UI."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.prefect.artifact_text import (
    FLOW_RUNS,
    run_headline,
    run_key,
    run_text,
    stage_headline,
    stage_key,
    stage_text,
)
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.file_names import INDEX, OUTPUTS, REPORT, SUMMARY, entry_file, tests_file
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.tests.stage_tests import StageTests
from dockercise_prefect.runtime.stage.job import JobResult


class ArtifactQueue(Protocol):
    """Accepts artifacts from any thread (`artifacts.Artifacts`)."""

    def add(self, key: str, headline: str, text: str, task_run_id: str | None = None) -> None:
        """Send an artifact soon."""
        ...

    def close(self) -> None:
        """Wait until all artifacts have been sent, but not forever."""
        ...


class PrefectView:
    """Shows one run. `stage` may be called from any thread.

    Args:
        pipeline: the pipeline that runs.
        record: has the end of each stage.
        store: has the address of the record.
        artifacts: sends the artifacts.
        flow_runs: returns the ids of the flow runs of earlier runs, as far as Prefect has them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        record: RunRecord,
        store: RunStore,
        artifacts: ArtifactQueue,
        flow_runs: Callable[[Collection[str]], Mapping[str, UUID]],
    ) -> None:
        self._pipeline = pipeline
        self._record = record
        self._store = store
        self._artifacts = artifacts
        self._flow_runs = flow_runs

    def stage(self, stage: Stage, result: JobResult, tail: Sequence[str]) -> None:
        """Show a stage that is completely recorded (`stage_runner.Show`)."""
        names = [stage.name, *(service.name for service in stage.service_stages)]
        self._when_logs_are_kept(names, lambda logs: self._show(stage, result, tail, logs))

    def _when_logs_are_kept(self, names: Sequence[str], then: Callable[[list[str]], None], found: Sequence[str] = ()) -> None:
        """Call `then` with the files of the logs, as far as they are stored."""
        if not names:
            then(list(found))
            return
        first, *others = names
        self._store.when_log_is_kept(first, lambda log: self._when_logs_are_kept(others, then, [*found, log] if log else found))

    def _show(self, stage: Stage, result: JobResult, tail: Sequence[str], logs: list[str]) -> None:
        output = result.stdout.file if result.stdout else None
        archive = result.volume.file if result.volume else None
        summary = self._record.stage(stage.name)
        tests = self._tests(stage.name, summary)
        report = None if tests is None else tests_file(stage.name)
        files = [file for file in (*logs, output, archive, report, entry_file(stage.name)) if file]
        base = result.volume.base if result.volume else None
        text = stage_text(stage.name, summary, tail, files, self._find, base, tests=tests)
        self._artifacts.add(stage_key(self._pipeline.name, stage.name), stage_headline(summary), text, summary.task_run_id)

    def run(self, summary: RunSummary) -> None:
        """Show the run, which is over. Waits until Prefect has accepted everything, but not forever."""
        reused = {name: stage for name, stage in summary.stages.items() if stage.reused_from is not None}
        earlier = self._flow_runs({stage.reused_from for stage in reused.values() if stage.reused_from is not None})
        pages = {run_id: f"{FLOW_RUNS}/{flow_run_id}" for run_id, flow_run_id in earlier.items()}
        for name, stage in reused.items():
            if stage.task_run_id is not None:
                text = stage_text(name, stage, [], [entry_file(name)], self._find, pages=pages, tests=self._tests(name, stage))
                self._artifacts.add(stage_key(self._pipeline.name, name), stage_headline(stage), text, stage.task_run_id)
        with collector_paused():
            text = run_text(summary, self._pipeline, [REPORT, OUTPUTS, SUMMARY, INDEX], self._find, pages)
        self._artifacts.add(run_key(self._pipeline.name), run_headline(summary), text)
        self._artifacts.close()

    def _tests(self, name: StageName, summary: StageSummary) -> StageTests | None:
        if summary.tests is None:
            return None
        folder = self._store.folder
        try:
            return RecordedRun(FolderObjects(folder.parent.parent), folder.parent.name, folder.name).tests(name)
        except StorageError:  # somebody removed the record, which ends the run in error
            return None

    def _find(self, file: str) -> str:
        """A link to the file; its plain URL if no link can be signed, because the credentials have expired."""
        try:
            return self._store.link(file)
        except StorageError:
            return f"{self._store.url}/{file}"
