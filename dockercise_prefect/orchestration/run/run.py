"""A run from its first check to its summary, inside a Prefect flow: what every compiled module calls."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from prefect.exceptions import TerminationSignal
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Failed

from dockercise_prefect.errors import DockerciseError, StorageError, UsageError
from dockercise_prefect.git.ask import current_commit
from dockercise_prefect.orchestration.prefect.api import LOST, ask_once, lost_api, missing_api
from dockercise_prefect.orchestration.prefect.engine_log import keep_tracebacks_out
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.prefect.flow_run import (
    attempt,
    current_flow_run,
    found_by,
    is_named,
    label,
    new_run_id,
    page,
    without_tags,
)
from dockercise_prefect.orchestration.prefect.signals import Interruptions, raised
from dockercise_prefect.orchestration.run.artifacts import Artifacts
from dockercise_prefect.orchestration.run.cleanup_signals import CleanupSignals
from dockercise_prefect.orchestration.run.events import EngineFound, Event, Notice, RunEnded, RunStarted, Waiting
from dockercise_prefect.orchestration.run.failure import RunFailedError, headline
from dockercise_prefect.orchestration.run.limits import confinement_of, within_trust
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.prefect_view import PrefectView
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.orchestration.run.scheduler import Scheduler
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_runner import StageRunner
from dockercise_prefect.orchestration.run.stage_task import PrefectTaskRuns, current_task
from dockercise_prefect.orchestration.run.variable_sources import outside_sources
from dockercise_prefect.pipeline import Pipeline, StageName, to_json
from dockercise_prefect.results.opening import open_store
from dockercise_prefect.results.places.place import check_outside
from dockercise_prefect.results.record.endings import WithEndings, end_elsewhere
from dockercise_prefect.results.record.shipment import NoShipment, Shipment, open_shipment
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.results.report.runs_page import update_runs_page
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.runtime.stage.environment import OutsideSource, VariableTexts, resolve_outside
from dockercise_prefect.runtime.workspace import RunIdentity, RuntimeOptions, Workspace
from dockercise_prefect.settings import read_settings
from dockercise_prefect.status import RunStatus, StageStatus


def run_pipeline(
    pipeline: Pipeline,
    *,
    root: Path | None = None,
    targets: Sequence[StageName] | None = None,
    env: Mapping[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    options: RunOptions | None = None,
) -> RunSummary:
    """Run the pipeline in the flow run that this is called in.

    Args:
        pipeline: what to run.
        root: where its code is; `DOCKERCISE_ROOT` overrides it.
        targets: run only these and all they need.
        env: variables from outside.
        commit: only for pipelines of registered repositories, whose runs are given the checkout of it.
        results: where the record goes; None for the user's setting.
        options: None for the user's settings.

    Returns:
        The summary of a run that passed. For any other, what is returned is the final state that Prefect asks a flow to
        return; it makes the call of the flow raise `RunFailedError`, without a traceback in the flow run's log.
    """
    keep_tracebacks_out()
    options = options or RunOptions(settings=read_settings())
    run = _Run(pipeline, options)
    where = options.settings.root or root  # DOCKERCISE_ROOT overrides what the module says of itself
    with run.ending(), raised(signal.SIGHUP):  # SIGINT and SIGTERM raise as it is, in a flow run
        if commit is not None:
            raise UsageError("`commit` is only for pipelines of a registered repository", "leave it out")
        run.select(targets or (), commit_of(options, where))
        run.restrain()
        run.open_record(results or options.settings.results, where)
        outside = run.resolve(outside_sources(options, env))
        run.execute(outside, where)
    return run.close()


def refuse_pipeline(name: str, error: DockerciseError, *, results: str | None, options: RunOptions) -> RunSummary:
    """End the flow run that this is called in, whose pipeline cannot be run, and leave a record that says why.

    Args:
        name: of the pipeline.
        error: what is wrong with it; its text is the `error` of the record.
        results: as for `run_pipeline`.
        options: as for `run_pipeline`.

    Returns:
        As `run_pipeline` does for a run in error.
    """
    run = _Run(Pipeline(name, []), options)
    with run.ending(), raised(signal.SIGHUP):
        run.select((), options.commit)
        run.open_record(results or options.settings.results, None)
        raise error
    return run.close()


def commit_of(options: RunOptions, root: Path | None) -> str | None:
    """The short id of the code's commit; None if it is not known."""
    if options.commit is not None:
        return options.commit
    return current_commit(root, compared=not options.settings.untrusted) if root else None


class _Run:
    """The verbs of a run, in order."""

    def __init__(self, pipeline: Pipeline, options: RunOptions) -> None:
        self.selection = pipeline
        self._options = options
        self._flow_run = current_flow_run()
        self._context = copy_context()
        self._started = datetime.now(UTC)
        is_new = attempt(self._flow_run) == 1 and is_named(self._flow_run)
        self._run_id = self._flow_run.name if is_new else new_run_id(self._flow_run, self._started)
        self._targets: Sequence[StageName] = ()
        self._commit: str | None = None
        self._store: RunStore | None = None
        self._shipment: Shipment = NoShipment()
        self._view: PrefectView | None = None
        self._record: RunRecord | None = None
        self._secrecy = Secrecy(pipeline)
        self._cause: DockerciseError | None = None
        self._interrupted_by: str | None = None
        self._signals = Interruptions()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """However the body ends, the run is closed afterwards: errors and interruptions become part of its summary."""
        try:
            yield
        except DockerciseError as error:
            self._cause = self._secrecy.masked_error(error)
        except LOST as error:
            self._cause = lost_api(error)
        except KeyboardInterrupt:
            self._interrupted_by = "SIGINT"
        except TerminationSignal as received:
            self._interrupted_by = signal.Signals(received.signal).name
        finally:
            self._signals.install()

    def select(self, targets: Sequence[StageName], commit: str | None) -> None:
        """Keep the targets and what they need; the run is announced, with tags to find it by."""
        self.selection = self.selection.only(targets)
        self._secrecy = Secrecy(self.selection)
        self._targets = targets
        self._commit = commit
        name = self._flow_run.name if is_named(self._flow_run) else self._run_id
        label(self._flow_run, name, found_by(self.selection, commit))
        self._observe(RunStarted(self._run_id, self.selection, self._options.settings.jobs, page(self._flow_run)))
        if (number := attempt(self._flow_run)) > 1:
            of = f" of commit {commit}" if commit else ""
            self._notify(f"attempt {number} of {name}{of}: all stages run again; the record of this attempt is {self._run_id}")

    def restrain(self) -> None:
        """Refuse what the pipeline may not do where it is not trusted; what remains is within limits."""
        self.selection = within_trust(self.selection, self._options)

    def open_record(self, place: str, root: Path | None) -> None:
        """Begin the record: from here on the run leaves a trace, however it ends."""
        if root is not None:
            check_outside(place, root)
        store = open_store(place, self.selection.name, self._run_id, self._options.settings, self._notify)
        store.start(self._secrecy.masker.json(to_json(self.selection, self._targets)))
        self._store, self._record = store, RunRecord(store, self._options.observer, self._secrecy)
        self._shipment = open_shipment(f"{self.selection.name}/{self._run_id}", self._options.settings, self._notify)
        self._view = PrefectView(self.selection, self._record, store, Artifacts(self._flow_run.id, self._notify))

    def resolve(self, sources: Sequence[OutsideSource]) -> Mapping[StageName, Mapping[str, str]]:
        """Every stage's variables from outside; those that are secret are masked from here on."""
        outside = resolve_outside(self.selection, sources)
        self._secrecy.begin(outside)
        return outside.variables

    def execute(self, outside: Mapping[StageName, Mapping[str, str]], root: Path | None) -> None:
        """Check the engine and the images, then run the stages."""
        record, store = cast("RunRecord", self._record), cast("RunStore", self._store)
        identity = RunIdentity(self._run_id, self.selection.name, str(self._flow_run.id))
        jobs = self._options.settings.jobs
        with ExitStack() as stack:
            tidying = stack.enter_context(CleanupSignals(self._notify))
            engine = self._options.engine or stack.enter_context(closing(connect_engine(self._options.settings)))
            info = engine.info()
            self._observe(EngineFound(info.version, info.url))
            how = RuntimeOptions(
                root=root,
                jobs=jobs,
                aws=self._options.aws,
                masker=self._secrecy.masker,
                confinement=confinement_of(self._options.settings),
            )
            workspace = stack.enter_context(Workspace(engine, self.selection, identity, how, self._notify))
            stack.callback(tidying.begin)  # however the body ends, before the workspace is removed
            workspace.prepare()
            outputs = RunOutputs(self.selection, store, self._secrecy, workspace.output_volumes, record.failed)
            stack.callback(outputs.close)
            runner = StageRunner(
                workspace=workspace,
                record=record,
                outputs=outputs,
                options=self._options,
                texts=VariableTexts(self.selection, outside),
                secrecy=self._secrecy,
                current_task=current_task,
                shipping=self._shipment.stream,
                put_away=cast("PrefectView", self._view).stage,
            )
            scheduler = Scheduler(
                self.selection,
                tasks=PrefectTaskRuns(runner.run),
                record=record,
                jobs=jobs,
                fail_fast=self._options.fail_fast,
                stop=lambda reason: self._stop(workspace, reason),
                kill=workspace.kill,
                abandon=workspace.abandon,
            )
            with without_tags(found_by(self.selection, self._commit)):
                self._interrupted_by = scheduler.execute()
            record.bundle_outputs(self.selection)

    def close(self) -> RunSummary:
        """Write the summary, notify all observers, and answer Prefect.

        A signal breaks off what may take long, and nothing else. SIGTERM does so until the flow run has its final state, which
        Prefect's engine, whose own handler comes back then, would call Crashed.
        """
        is_lost = self._is_api_lost()
        summary = self._kept(self._store) if self._store else self._summary()
        if self._view and not is_lost:
            self._show(self._view, summary)
        self._observe(RunEnded(summary))
        self._observe(Waiting("Prefect to record the end of the run"))
        # In a flow of another flow, Prefect's handler is the outer one's.
        kept = () if self._flow_run.parent_task_run_id else (signal.SIGTERM,)
        self._signals.restore(*{signal.SIGINT, signal.SIGHUP, signal.SIGTERM}.difference(kept))
        if summary.status is RunStatus.PASSED:
            return summary
        state = Cancelled if summary.status is RunStatus.CANCELLED else Failed
        failed = RunFailedError(summary, self._cause)
        return cast("RunSummary", state(message=headline(summary), data=failed))

    def _show(self, view: PrefectView, summary: RunSummary) -> None:
        try:
            with self._signals.released():
                view.run(summary)
        except KeyboardInterrupt:
            self._notify("Prefect does not show all artifacts of this run: it was interrupted")

    def _is_api_lost(self) -> bool:
        """Whether Prefect is gone, which makes the run one in error; from then on it is not waited for again."""
        lost: Exception | None
        try:
            with self._signals.released():
                lost = missing_api(self._notify)
        except KeyboardInterrupt:
            lost = TimeoutError("it does not answer")
        if lost is None:
            return False
        ask_once()
        self._cause = self._cause or lost_api(lost)
        return True

    def _kept(self, store: RunStore) -> RunSummary:
        """The summary, written. A record that does not get to its place makes the run one in error, and is left where it is."""
        self._ship()
        try:
            summary = self._finished(store)
        except StorageError as error:
            self._cause = self._cause or error
            summary = self._summary()
            with suppress(StorageError):  # it has been told that this place fails
                self._report(store, summary)
            self._leave(store, summary)
        else:
            self._list_run(store)
        return summary

    def _leave(self, store: RunStore, summary: RunSummary) -> None:
        try:
            store.leave(summary)
        except StorageError:
            with suppress(StorageError):  # then nobody can say it
                end_elsewhere(summary, self._options.settings.data)

    def _ship(self) -> None:
        try:
            with self._signals.released():
                self._shipment.close()
        except StorageError as error:
            self._cause = self._cause or error
        except KeyboardInterrupt:
            lost = StorageError("not all logs have been sent: it was interrupted", "the full logs are in the results")
            self._cause = self._cause or lost

    def _finished(self, store: RunStore) -> RunSummary:
        try:
            with self._signals.released():
                store.settle()
                summary = self._summary()
                self._report(store, summary)
                store.finish(summary)
        except KeyboardInterrupt as error:
            hint = f"they are kept in {store.folder}"
            if store.url != store.folder.as_uri():
                hint += f"; `dockercise results push {self._run_id}` sends them"
            raise StorageError(f"not all results are at {store.url}: it was interrupted", hint) from error
        return summary

    def _report(self, store: RunStore, summary: RunSummary) -> None:
        try:
            page = report(store.folder, self.selection, summary, self._commit)
        except Exception as error:  # noqa: BLE001  a page that cannot be made is not a reason for a run to fail
            self._notify(f"this run has no report.html: {type(error).__name__}: {error}")
        else:
            store.keep_report(page)

    def _list_run(self, store: RunStore) -> None:
        try:
            with self._signals.released():
                update_runs_page(WithEndings(store.objects, self._options.settings.data), self.selection.name)
        except DockerciseError as error:
            self._notify(f"the list of runs is not up to date: {error.message}")
        except KeyboardInterrupt:  # the run itself is over, and its record complete
            self._notify("the list of runs is not up to date: it was interrupted")

    def _stop(self, workspace: Workspace, reason: str) -> None:
        self._notify(f"{reason}: stopping the running stages, with 10 s of grace (Ctrl-C stops them at once)")
        workspace.cancel(reason=reason)

    def _summary(self) -> RunSummary:
        known = self._record.stages() if self._record else {}
        why = StageSummary(StageStatus.NOT_STARTED, message="not started: the run ended first")
        stages = {stage.name: known.get(stage.name, why) for stage in self.selection}
        if self._record and self._record.storage_error:
            self._cause = self._cause or StorageError(self._record.storage_error)
        return RunSummary(
            run_id=self._run_id,
            pipeline=self.selection.name,
            status=self._status(stages.values()),
            error=self._cause.message if self._cause else None,
            started=self._started.isoformat(),
            finished=datetime.now(UTC).isoformat(),
            flow_run_id=str(self._flow_run.id),
            flow_run_url=page(self._flow_run),
            results=self._store.url if self._store else None,
            stages=stages,
        )

    def _status(self, stages: Iterable[StageSummary]) -> RunStatus:
        """An error of ours weighs more than a cancellation, and that more than a failed stage (DESIGN section 3)."""
        statuses = {stage.status for stage in stages}
        if self._cause is not None or StageStatus.ERROR in statuses:
            return RunStatus.ERROR
        if self._interrupted_by is not None:
            return RunStatus.CANCELLED
        return RunStatus.PASSED if all(status.succeeded for status in statuses) else RunStatus.FAILED

    def _notify(self, text: str) -> None:
        text = self._secrecy.masker.text(text)
        self._observe(Notice(text))
        # A thread that Prefect did not start knows neither the flow run nor the API that it reports to.
        self._context.copy().run(lambda: get_run_logger().info("%s", text))

    def _observe(self, event: Event) -> None:
        self._options.observer(event)
