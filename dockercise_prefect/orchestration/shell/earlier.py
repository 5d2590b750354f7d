"""What earlier runs have left for a shell in a stage as it would run now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from uuid import uuid4

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.shell.plan import builder_of, takes
from dockercise_prefect.orchestration.shell.since import Changes
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.reading.recorded_run import RecordedRun, StageEntry
from dockercise_prefect.results.reading.records import Records, pipelines_in
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.results.record.difference import Member
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.code_snapshot import code_entries
from dockercise_prefect.status import RunStatus, StageStatus

RUNS = 32
"""In how many of the newest runs a stage is looked for."""

_NOWHERE = StageSummary(StageStatus.NOT_STARTED, message="it has passed in none of the newest runs")


@dataclass(frozen=True, slots=True)
class _FromSeveralRuns(RecordedRun):
    """The record of a run that there was not: for each stage, it is that of the run from which the stage is taken.

    Attributes:
        taken: for each stage that is taken from a run, that run.
    """

    taken: Mapping[StageName, RecordedRun]

    def entry(self, stage: StageName) -> StageEntry | None:
        """See `RecordedRun`."""
        run = self.taken.get(stage)
        return StageEntry(_NOWHERE, False, {}, None) if run is None else run.entry(stage)

    def kept(self, stage: StageName) -> Kept | None:
        """See `RecordedRun`."""
        run = self.taken.get(stage)
        return Kept() if run is None else run.kept(stage)

    def output(self, stage: StageName) -> Iterator[bytes]:
        """See `RecordedRun`."""
        return self.taken[stage].output(stage)

    def volume(self, stage: StageName) -> Iterator[Member]:
        """See `RecordedRun`."""
        return self.taken[stage].volume(stage)


def as_now(
    pipeline: Pipeline,
    name: StageName,
    root: Path,
    objects: Objects,
    notify: Callable[[str], None],
    *,
    trusted: bool,
) -> RunView:
    """A view of the pipeline as it is now, in which the stages that a stage needs are those of earlier runs.

    Each is taken from the newest run in which it passed and since which nothing has changed that it is made from. If there is
    no such run, it is taken from the newest one in which it passed. The user is told which run that is, and what has changed.

    Args:
        pipeline: as it is now.
        name: the stage.
        root: the folder of the code.
        objects: the place of the results.
        notify: called with a line for each stage that it needs.
        trusted: whether what an untrusted run has left must not be used.

    Raises:
        UsageError: a stage has passed in none of the newest runs, and the shell would not be like the stage without it.
        StorageError: the place cannot be read.
    """
    stage = pipeline.by_name[name]
    stages = [*builder_of(stage, pipeline), stage]
    runs = Records(objects, pipeline.name).runs() if pipeline.name in pipelines_in(objects) else []
    usable = [run for run in islice(runs, RUNS) if _is_usable(run, trusted=trusted)]
    changes = Changes(pipeline, cache(lambda: CodeDigests(code_entries(root, lambda _: None))))
    taken: dict[StageName, RecordedRun] = {}
    for needed in dict.fromkeys(needed for each in stages for needed in each.needs):
        found = _newest(needed, usable, changes)
        if found is not None:
            taken[needed], change = found
            notify(f"{needed} is that of {taken[needed].run_id}" + (f"; since then, {change}" if change else ""))
    _refuse_without(stages, taken)
    for missing in dict.fromkeys(needed for needed in stage.needs if needed not in taken):
        notify(f"there is no /out/{missing}: {missing} has passed in none of the newest runs")
    now = datetime.now(UTC)
    record = _FromSeveralRuns(objects, pipeline.name, f"{now:%Y%m%dT%H%M%SZ}-{uuid4().hex[-4:]}", taken)
    whole = RunSummary(record.run_id, pipeline.name, RunStatus.PASSED)
    entries = {needed: run.entry(needed) for needed, run in taken.items()}
    return RunView(record, pipeline, whole, {each: entry.summary for each, entry in entries.items() if entry is not None}, ())


def _is_usable(run: RecordedRun, *, trusted: bool) -> bool:
    """Whether the run has ended and its record is whole, and it was not untrusted, or that does not matter."""
    summary, facts = run.summary(), run.facts()
    return summary is not None and summary.error is None and facts is not None and not (trusted and facts.untrusted)


def _newest(name: StageName, runs: Sequence[RecordedRun], changes: Changes) -> tuple[RecordedRun, str | None] | None:
    """The run that the stage is taken from, and what has changed since then; None if it has passed in none."""
    newest: tuple[RecordedRun, str | None] | None = None
    for run in runs:
        entry = run.entry(name)
        if entry is None or not entry.summary.status.succeeded or entry.summary.status is StageStatus.SKIPPED:
            continue
        change = changes.since(run, name)
        if change is None:
            return run, None
        newest = newest or (run, change)
    return newest


def _refuse_without(stages: Sequence[Stage], taken: Mapping[StageName, RecordedRun]) -> None:
    name = stages[-1].name
    edges = [edge for stage in stages for edge in stage.depends_on]
    missing = list(dict.fromkeys(edge.stage for edge in edges if takes(edge.kind) and edge.stage not in taken))
    if missing:
        those = " and ".join(missing)
        have, them = ("has", "it") if len(missing) == 1 else ("have", "them")
        raise UsageError(
            f"{name} needs what {those} left, but {those} {have} passed in none of the newest runs",
            f"run {them} first: `dockercise run {' '.join(missing)}`",
        )
