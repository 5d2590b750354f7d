"""The data about a run at one moment, for the code that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.members import with_members
from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun, StageEntry
from dockercise_prefect.results.reading.timeline import critical_path
from dockercise_prefect.results.summary import RunSummary, StageSummary

READERS = 16
"""How many small objects are read at the same time, because a bucket needs some time for each."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class RunView:
    """All information about a run in its record.

    Attributes:
        pipeline: the pipeline that was run, with the members that its groups had; without edges if the index is lost.
        summary: the summary; None if the run is still running or was aborted.
        stages: the stages of the pipeline that were started or will never start.
        problems: what is missing or broken, one line for each problem.
    """

    run: RecordedRun
    pipeline: Pipeline
    summary: RunSummary | None
    stages: Mapping[StageName, StageSummary]
    problems: tuple[str, ...]

    @property
    def needs(self) -> Mapping[StageName, tuple[StageName, ...]]:
        """For each stage, the stages that it runs after."""
        return {stage.name: stage.needs for stage in self.pipeline}

    @property
    def critical_path(self) -> tuple[StageName, ...]:
        """See `timeline.critical_path`. If the run has not ended, the path so far."""
        return critical_path(self.needs, self.stages)

    def logged_by(self, log: str) -> Stage:
        """The stage that a log belongs to: the log has its name, or that of a service, `<stage>.<service>`.

        Raises:
            UsageError: the run has no such log.
        """
        owners = (stage for stage in self.pipeline if any(service.name == log for service in stage.service_stages))
        return next(owners, None) or self.stage(log)

    def stage(self, name: StageName) -> Stage:
        """A stage of the run.

        Raises:
            UsageError: the run has no such stage.
        """
        try:
            return self.pipeline.by_name[name]
        except KeyError:
            if instances := self.pipeline.instances.get(name):
                count, what = (
                    ("1 instance", "it:") if len(instances) == 1 else (f"{len(instances)} instances", "one of them, such as")
                )
                raise UsageError(
                    f"`{name}` has {count} in the run {self.run.run_id}", f"name {what} `'{instances[0]}'`"
                ) from None
            meant = did_you_mean(name, list(self.pipeline.by_name))
            hint = f"did you mean `{meant}`?" if meant else f"`dockercise show {self.run.run_id}` lists its stages"
            raise UsageError(f"`{name}` is not a stage of the run {self.run.run_id}", hint) from None


def look(run: RecordedRun) -> RunView:
    """Read the record. Broken parts are left out and listed in `problems`.

    Raises:
        StorageError: the place cannot be read.
    """
    problems: list[str] = []
    summary = _unless_broken(run.summary, problems)
    index = _unless_broken(run.index, problems)
    known = summary.stages if summary else {}
    pipeline = index or Pipeline(run.pipeline, [Stage(name=name) for name in known])
    pipeline = with_members(pipeline, known if summary else run.members(pipeline))
    unknown = [stage.name for stage in pipeline if stage.name not in known]
    stages = {**known, **_entries(run, unknown, problems)}
    return RunView(run, pipeline, summary, stages, tuple(problems))


def _entries(run: RecordedRun, names: list[StageName], problems: list[str]) -> dict[StageName, StageSummary]:
    """The summaries from the stages' own objects."""

    def entry(name: StageName) -> StageEntry | None:
        return _unless_broken(lambda: run.entry(name), problems)

    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(entry, names)
    return {name: entry.summary for name, entry in zip(names, found, strict=True) if entry is not None}


def _unless_broken(read: Callable[[], Found | None], problems: list[str]) -> Found | None:
    try:
        return read()
    except BrokenRecordError as error:
        problems.append(error.message)
        return None
