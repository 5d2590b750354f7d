"""The phases of a run before its stages run. Each phase is a value that is made from the phase before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_run_logger

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.prefect.artifacts import Artifacts
from dockercise_prefect.orchestration.prefect.cancelling import how_to_cancel
from dockercise_prefect.orchestration.prefect.flow_run import (
    RUN_ID_TAIL,
    attempt,
    current_flow_run,
    flow_runs_named,
    found_by,
    is_named,
    label,
    new_run_id,
    page,
)
from dockercise_prefect.orchestration.reuse.resume import PassedStages, Resume, earlier_attempts, passed_in
from dockercise_prefect.orchestration.run.events import Event, Notice, RunStarted
from dockercise_prefect.orchestration.run.limits import within_trust
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.prefect_view import PrefectView
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, StageName, bound, parameter_values, to_json
from dockercise_prefect.pipeline.conditions import skipped_beforehand, without
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.results.opening import open_objects, open_store
from dockercise_prefect.results.places.place import check_outside
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.record.journal import Entry
from dockercise_prefect.results.record.owner_mark import OwnerMark
from dockercise_prefect.results.record.run_facts import RunFacts
from dockercise_prefect.results.record.shipment import Shipment, open_shipment
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.runtime.stage.environment import Outside, OutsideSource, VariableTexts, resolve_outside


@dataclass(frozen=True, kw_only=True)
class Started:
    """A run that exists, with its flow run and its id.

    Attributes:
        context: the context of the flow's thread. Threads that Prefect did not start have neither the flow run nor its API.
        secrecy: says what is sensitive in the whole pipeline.
    """

    pipeline: Pipeline
    options: RunOptions
    flow_run: FlowRun
    context: Context
    started: datetime
    run_id: str
    secrecy: Secrecy

    def notify(self, text: str) -> None:
        """Show the user a line. May be called from any thread."""
        text = self.secrecy.masker.text(text)
        self.observe(Notice(text))
        self.context.copy().run(lambda: get_run_logger().info("%s", text))

    def observe(self, event: Event) -> None:
        """Pass an event to the observer."""
        self.options.observer(event)


@dataclass(frozen=True, kw_only=True)
class Selected(Started):
    """The stages to run are known: `pipeline` contains the targets and the stages that belong to them (`run_of`).

    Attributes:
        targets: the targets that the user named.
        commit: the short id of the code's commit; None if it is not known.
        git: what the run knows of git, and how it began.
        skipped: the stages that are skipped whatever happens, each with the reason.
    """

    targets: Sequence[StageName]
    commit: str | None
    git: RunContext
    skipped: Mapping[StageName, str]

    @property
    def may_run(self) -> Pipeline:
        """The stages that are not skipped."""
        return without(self.pipeline, self.skipped)


@dataclass(frozen=True, kw_only=True)
class Opened(Selected):
    """The record has begun. From here on, every run leaves a record, even if it fails."""

    store: RunStore
    record: RunRecord
    shipment: Shipment
    view: PrefectView


@dataclass(frozen=True, kw_only=True)
class Resolved(Opened):
    """The variables of every stage are known, and secret variables are masked.

    Attributes:
        outside: the variables from outside.
        lease: of the slot that the run occupies (`meta.concurrency`); None if it has none.
        lines: for each member of a group, its line (`each`). Members are added while the run goes on.
    """

    outside: Outside
    lease: UUID | None = None
    lines: dict[StageName, str] = field(default_factory=dict)

    @property
    def texts(self) -> VariableTexts:
        """The texts of the variables of each stage."""
        return VariableTexts(self.pipeline, self.outside.variables, self.lines)


def start(pipeline: Pipeline, options: RunOptions) -> Started:
    """Start a run in the flow run that this is called in."""
    flow_run = current_flow_run()
    started = datetime.now(UTC)
    is_new = attempt(flow_run) == 1 and is_named(flow_run)
    return Started(
        pipeline=pipeline,
        options=options,
        flow_run=flow_run,
        context=copy_context(),
        started=started,
        run_id=flow_run.name if is_new else new_run_id(flow_run, started),
        secrecy=Secrecy(pipeline),
    )


def bind(run: Started, given: Mapping[str, object]) -> Started:
    """Put the values of its parameters into the pipeline.

    Raises:
        DefinitionError: a name is not a parameter, a value is wrong, or a parameter has no value.
    """
    pipeline = bound(run.pipeline, given)
    return replace(run, pipeline=pipeline, secrecy=Secrecy(pipeline))


def select(run: Started, targets: Sequence[StageName], commit: str | None, git: RunContext) -> Selected:
    """Keep the targets and the stages that belong to them (`run_of`). The run is announced, with tags for finding it.

    Raises:
        DefinitionError: a target is not a stage.
    """
    pipeline = run_of(run.pipeline, targets)
    chosen = {**vars(run), "pipeline": pipeline, "secrecy": Secrecy(pipeline)}
    skipped = skipped_beforehand(pipeline, git, targets)
    selected = Selected(**chosen, targets=targets, commit=commit, git=git, skipped=skipped)
    name = run.flow_run.name if is_named(run.flow_run) else run.run_id
    label(run.flow_run, name, found_by(pipeline, commit, git))
    if run.flow_run.deployment_id is None:
        get_run_logger().info("%s", how_to_cancel(name))
    run.observe(RunStarted(run.run_id, pipeline, run.options.settings.jobs, page(run.flow_run)))
    if (number := attempt(run.flow_run)) > 1:
        of = f" of commit {commit}" if commit else ""
        selected.notify(f"attempt {number} of {name}{of}; the record of this attempt is {run.run_id}")
    return selected


def find_resumed(run: Selected, place: str, wanted: str | None) -> Selected:
    """Find the recorded runs that this run resumes: earlier attempts of its flow run, and the run of the parameter `resume`.

    Args:
        run: the run. Its record does not exist yet.
        place: the place of the results.
        wanted: the id of a run of the pipeline, the beginning of one, or `last`; None for no run.

    Raises:
        UsageError: no run of the pipeline has that id.
        StorageError: its record cannot be read.
    """
    if attempt(run.flow_run) == 1 and wanted is None:
        return run
    records = Records(open_objects(place, run.options.settings), run.pipeline.name)
    found = _earlier_attempts(run, records) if attempt(run.flow_run) > 1 else []
    if wanted is not None:
        found.append(passed_in(records.find(wanted)))
    if found:
        run.notify(f"what passed in {' or '.join(one.run_id for one in found)} is not run again, unless it has changed")
    return replace(run, options=replace(run.options, resume=Resume(runs=found)))


def _earlier_attempts(run: Selected, records: Records) -> list[PassedStages]:
    """What passed in the earlier attempts. If their records cannot be read, the run does not fail for that."""
    try:
        found = [passed_in(one) for one in earlier_attempts(records, str(run.flow_run.id), run.run_id[-RUN_ID_TAIL:])]
    except StorageError as error:
        run.notify(f"all stages run again: the records of earlier attempts cannot be read: {error}")
        return []
    if not found:
        run.notify(f"all stages run again: no record of an earlier attempt that did not pass is in {records.place}")
    return found


def restrain(run: Selected) -> Selected:
    """Apply the limits to a pipeline that is not trusted, and refuse what is not allowed.

    Raises:
        UsageError, DefinitionError: the pipeline requests something that is not allowed.
    """
    return replace(run, pipeline=within_trust(run.pipeline, run.options))


def open_record(run: Selected, place: str, root: Path | None) -> Opened:
    """Begin the record.

    Raises:
        UsageError: the place is not valid, or is below the root.
        StorageError: the record cannot be written.
    """
    if root is not None:
        check_outside(place, root)
    settings, name = run.options.settings, run.pipeline.name
    store = open_store(place, name, run.run_id, settings, run.notify)
    with collector_paused():
        index = to_json(run.pipeline, run.targets)
        shown = run.secrecy.masker.json(index)
    masked = [name for name, stage in index["stages"].items() if stage != shown["stages"][name]]
    facts = _facts(run, store, root, masked)
    store.start({**shown, "run": run.secrecy.masker.json(facts.elsewhere.to_json())}, mark_of(run))
    record = RunRecord(store, run.options.observer, run.secrecy)
    record.note(Entry.RUN, facts.to_json())
    view = PrefectView(run.pipeline, record, store, Artifacts(run.flow_run.id, run.notify), flow_runs_named)
    shipment = open_shipment(f"{name}/{run.run_id}", settings, run.notify)
    return Opened(**vars(run), store=store, record=record, shipment=shipment, view=view)


def mark_of(run: Started) -> OwnerMark:
    """The mark of the record of a run of this process."""
    return OwnerMark(str(this_process(None)), str(run.flow_run.id), page(run.flow_run))


def _facts(run: Selected, store: RunStore, root: Path | None, masked: Sequence[StageName]) -> RunFacts:
    options = run.options
    return RunFacts(
        flow_run_id=str(run.flow_run.id),
        attempt=attempt(run.flow_run),
        place=store.objects.url,
        targets=run.targets,
        commit=run.commit,
        git=replace(run.git, changed=None),
        skipped=run.skipped,
        masked=masked,
        untrusted=options.settings.untrusted,
        aws=options.aws,
        root=None if root is None else str(root.absolute()),
        secret_blocks=options.secret_blocks,
        parameters=parameter_values(run.pipeline),
    )


def resolve(run: Opened, sources: Sequence[OutsideSource]) -> Resolved:
    """Find the variables from outside for every stage.

    Raises:
        DefinitionError: a variable is set nowhere, or cannot be passed on.
    """
    outside = resolve_outside(run.may_run, sources)
    run.secrecy.begin(outside)
    run.record.note(Entry.NAMES, {name: list(texts) for name, texts in outside.variables.items()})
    run.record.note(Entry.NAMES_OF_SECRETS, outside.secret)
    return Resolved(**vars(run), outside=outside)
