"""A run whose process has died, as its record on this machine tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.journal import Entry, Journal
from dockercise_prefect.results.record.run_facts import RunFacts
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, kw_only=True)
class LeftRun:
    """What a run has left in its record.

    Attributes:
        folder: of the record.
        recorded: the record.
        pipeline: its index. Texts that are secret are masked in it.
        facts: how the run goes.
        variables: for each stage, the names of its variables from outside that were set.
        secret: for each stage, the names of its variables whose texts came from a source of secrets.
        shared: the volumes of the code and of the AWS folder, by what they hold.
        code_digest: the digest of the code; None if no stage used it.
        stages: the summaries of the stages that had started, or would never start.
        kept: what is stored of each of them.
        results: the results of the stages that had ended.
        cancelled_by: what asked the run to end; None if nothing did.
        cancelled_at: when its process began to stop the stages; None if it did not.
    """

    folder: Path
    recorded: RecordedRun
    pipeline: Pipeline
    facts: RunFacts
    variables: Mapping[StageName, list[str]] = field(default_factory=dict)
    secret: Mapping[StageName, list[str]] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    code_digest: str | None = None
    stages: Mapping[StageName, StageSummary]
    kept: Mapping[StageName, Kept]
    results: Mapping[StageName, JobResult]
    cancelled_by: str | None = None
    cancelled_at: datetime | None = None

    @property
    def interrupted(self) -> list[StageName]:
        """The stages that had started, and had not ended."""
        return [name for name, stage in self.stages.items() if stage.status is StageStatus.RUNNING]

    def has_ended(self, stage: StageName) -> bool:
        """Whether the stage had ended, or would never start."""
        return stage in self.stages and self.stages[stage].status is not StageStatus.RUNNING


def left_run(folder: Path) -> LeftRun | None:
    """Read the record of a run whose process has died.

    Args:
        folder: of the record on this machine.

    Returns:
        What it has left; None if it has no journal that this version understands, or if it is over.

    Raises:
        StorageError: the record cannot be read.
    """
    recorded = RecordedRun(FolderObjects(folder.parent.parent), folder.parent.name, folder.name)
    entries = Journal(folder).entries()
    by_kind = dict(entries)
    if Entry.RUN not in by_kind or recorded.is_over():
        return None
    try:
        facts = RunFacts.from_json(by_kind[Entry.RUN])
        results = [JobResult.from_json(data) for what, data in entries if what == Entry.RESULT]
    except ValueError:
        return None
    pipeline = recorded.index()
    names = [*pipeline.by_name, *recorded.members(pipeline)]
    found = {name: recorded.entry(name) for name in names}
    kept = {name: recorded.kept(name) for name in names}
    cancelled = by_kind.get(Entry.CANCELLED)
    shared = by_kind.get(Entry.SHARED, {"volumes": {}, "code_digest": None})
    return LeftRun(
        folder=folder,
        recorded=recorded,
        pipeline=pipeline,
        facts=facts,
        variables=by_kind.get(Entry.NAMES, {}),
        secret=by_kind.get(Entry.NAMES_OF_SECRETS, {}),
        shared=shared["volumes"],
        code_digest=shared["code_digest"],
        stages={name: entry.summary for name, entry in found.items() if entry is not None},
        kept={name: one for name, one in kept.items() if one is not None},
        results={result.stage: result for result in results},
        cancelled_by=cancelled["by"] if cancelled else None,
        cancelled_at=datetime.fromisoformat(cancelled["at"]) if cancelled else None,
    )


def wants_cleanup(folder: Path) -> bool:
    """Whether the clean-up stages of a run whose process has died are to run, although nobody cancelled it.

    Raises:
        StorageError: the record cannot be read.
    """
    left = left_run(folder)
    return left is not None and left.pipeline.cleanup_after_crash
