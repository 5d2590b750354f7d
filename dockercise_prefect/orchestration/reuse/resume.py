"""Recorded runs that a run resumes: what passed there is not run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from dockercise_prefect.errors import UsageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.cache.entries import AT_ONCE
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.record.file_names import output_file, volume_file
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.status import RunStatus, StageStatus


@dataclass(frozen=True, kw_only=True)
class PassedStages:
    """The stages that passed in one recorded run, or were reused there.

    Attributes:
        run_id: of that run.
        entries: what is known of each of them.
        incomplete: the stages of which not all is stored, each with the reason. They have no entry.
    """

    run_id: str
    entries: Mapping[StageName, Entry]
    incomplete: Mapping[StageName, str]


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Recorded runs that are resumed.

    Attributes:
        runs: what passed in each of them, in the order in which a stage is looked for.
        as_it_was: the stages that are taken from there whatever they would be made from now.
        afresh: the stages that run in any case.
    """

    runs: Sequence[PassedStages]
    as_it_was: frozenset[StageName] = frozenset()
    afresh: frozenset[StageName] = frozenset()

    def incomplete(self, stage: StageName) -> str | None:
        """Why a stage that passed cannot be taken from any of the runs; None if it can, or did not pass."""
        reasons = [one.incomplete[stage] for one in self.runs if stage in one.incomplete]
        return reasons[0] if reasons and not any(stage in one.entries for one in self.runs) else None


def passed_in(run: RecordedRun) -> PassedStages:
    """The stages that passed in a recorded run.

    Raises:
        StorageError: the record cannot be read.
    """
    stored = None if run.is_over() else run.objects.sizes(run.path)  # the record of a run that was killed may lack something
    with ThreadPoolExecutor(AT_ONCE) as readers:
        found = list(readers.map(partial(_passed, run, stored), _names(run)))
    return PassedStages(
        run_id=run.run_id,
        entries={one.stage: one for one in found if isinstance(one, Entry)},
        incomplete=dict(one for one in found if isinstance(one, tuple)),
    )


def _names(run: RecordedRun) -> list[StageName]:
    """The stages and members that the run had. A group has nothing of its own that could be taken."""
    pipeline = run.index()
    groups = {group.name for group in pipeline.groups}
    return [*(name for name in pipeline.by_name if name not in groups), *run.members(pipeline)]


def earlier_attempts(records: Records, flow_run_id: str, tail: str) -> Iterator[RecordedRun]:
    """The records of the earlier attempts of a flow run that is retried, newest first, back to the last one that passed.

    An attempt that passed is not resumed: who retries it wants it to run again.

    Args:
        records: the runs of the pipeline. The run that asks must not be one of them yet.
        flow_run_id: the id of the flow run.
        tail: the end of the ids of all its runs.

    Raises:
        StorageError: the records cannot be read.
    """
    try:
        runs = records.runs()
    except UsageError:  # the pipeline has no record there
        return iter(())
    attempts = (run for run in runs if run.run_id.endswith(tail) and _is_of(run, flow_run_id))
    return takewhile(_did_not_pass, attempts)


def _is_of(run: RecordedRun, flow_run_id: str) -> bool:
    facts = run.facts()
    return facts is not None and facts.flow_run_id == flow_run_id


def _did_not_pass(run: RecordedRun) -> bool:
    summary = run.summary()
    return summary is None or summary.status is not RunStatus.PASSED


def _passed(run: RecordedRun, stored: Mapping[str, int] | None, name: StageName) -> Entry | tuple[StageName, str] | None:
    """What is known of a stage that passed; its name and a reason if that is not enough; None if it did not pass.

    Args:
        run: the record.
        stored: the sizes of its objects; None if it is complete.
        name: of the stage.
    """
    entry, kept = run.entry(name), run.kept(name)
    if entry is None or kept is None or entry.summary.exit_code not in {0, None}:
        return None
    summary = entry.summary
    if summary.status not in {StageStatus.PASSED, StageStatus.CACHED}:
        return None
    if kept.sensitive is not None:
        return name, f"it was sensitive in {run.run_id} ({kept.sensitive}), so nothing of it is stored"
    if kept.made_from is None:
        return name, f"{run.run_id} does not say what it was made from"
    is_whole = stored is None or summary.reused_from is not None or _has_all(stored, name, kept)
    if "volume" in kept.left_out or kept.output_digest is None or kept.output_size is None or not is_whole:
        return name, f"{run.run_id} does not have all that it left"
    return Entry(
        stage=name,
        ingredients=kept.made_from,
        run_id=summary.reused_from or run.run_id,
        finished=summary.finished or run.began.isoformat(),
        seconds=summary.seconds or 0.0,
        output_digest=kept.output_digest,
        output_size=kept.output_size,
        volume_digest=kept.volume_digest,
    )


def _has_all(stored: Mapping[str, int], name: StageName, kept: Kept) -> bool:
    has_output = not kept.output_size or stored.get(output_file(name)) == kept.output_size
    return has_output and (kept.volume_digest is None or volume_file(name) in stored)
