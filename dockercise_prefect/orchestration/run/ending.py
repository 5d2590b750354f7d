"""The end of a run: its summary is written and reported, even if the run ended early."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Failed

from dockercise_prefect.errors import DockerciseError, StorageError
from dockercise_prefect.orchestration.prefect.api import LOST, ask_once, lost_api, missing_api
from dockercise_prefect.orchestration.prefect.flow_run import page
from dockercise_prefect.orchestration.prefect.log_spool import LogSpool
from dockercise_prefect.orchestration.run.events import RunEnded, Waiting
from dockercise_prefect.orchestration.run.execution import Executed
from dockercise_prefect.orchestration.run.failure import NEVER_STARTED, RunFailedError, headline
from dockercise_prefect.orchestration.run.phases import Opened, Resolved, Started
from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.pipeline.members import with_members
from dockercise_prefect.results.record.endings import WithEndings, end_elsewhere
from dockercise_prefect.results.report.runs_page import update_runs_page
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.signals import Interruptions
from dockercise_prefect.status import RunStatus, StageStatus

Phase = TypeVar("Phase", bound=Started)


class Ending:
    """Ends a run. A context manager around the phases of the run. Call `reached` for each phase, and `close` after the body.

    Errors and interruptions in the body become part of the run's summary and are not raised.

    Args:
        run: the run that has started.
    """

    def __init__(self, run: Started) -> None:
        self._run = run
        self._executed = Executed()
        self._cause: DockerciseError | None = None
        self._interrupted_by: str | None = None
        self._signals = Interruptions()
        self._spool = LogSpool(run.flow_run.id, run.notify)

    def reached(self, run: Phase) -> Phase:
        """The run has reached this phase."""
        self._run = run
        return run

    def executed(self, executed: Executed) -> None:
        """All stages have ended."""
        self._executed = executed
        self._interrupted_by = executed.interrupted_by
        if executed.signal_due:
            self._signals.expect(signal.SIGTERM)

    def __enter__(self) -> Self:
        """The run's phases follow."""
        self._spool.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> bool:
        """Catch the exception that ended the run, if it is of an expected kind."""
        self._signals.install()
        match error:
            case DockerciseError():
                self._cause = self._run.secrecy.masked_error(error)
            case _ if isinstance(error, LOST):
                self._cause = lost_api(error)
            case KeyboardInterrupt():
                self._interrupted_by = "SIGINT"
            case TerminationSignal():
                self._interrupted_by = signal.Signals(error.signal).name
            case None:
                pass
            case _:
                self._spool.__exit__(kind, error, traceback)
                return False
        if self._interrupted_by is not None and isinstance(self._run, Opened):
            self._run.record.run_cancelled(self._interrupted_by)
        return True

    def close(self) -> RunSummary:
        """Write the summary, notify all observers, and report to Prefect.

        A signal interrupts only steps that may take long. For SIGTERM, this applies until the flow run has its final state:
        the earlier handler is that of Prefect's engine, and it would make the flow run Crashed.
        """
        run = self._run
        is_lost = self._is_api_lost()
        summary = self._kept(run) if isinstance(run, Opened) else self._summary()
        self._spool.__exit__()
        if not is_lost:
            self._send_missing()
        if isinstance(run, Opened) and not is_lost:
            self._show(run, summary)
        run.observe(RunEnded(summary, self._cause))
        run.observe(Waiting("Prefect to record the end of the run"))
        # In a subflow, Prefect's handler belongs to the outer flow.
        kept = () if run.flow_run.parent_task_run_id else (signal.SIGTERM,)
        self._signals.restore(*{signal.SIGINT, signal.SIGHUP, signal.SIGTERM}.difference(kept))
        if summary.status is RunStatus.PASSED:
            return summary
        return cast("RunSummary", failed_state(RunFailedError(summary, self._cause)))

    def _show(self, run: Opened, summary: RunSummary) -> None:
        try:
            with self._signals.released():
                run.view.run(summary)
        except KeyboardInterrupt:
            run.notify("Prefect does not show all artifacts of this run: sending them was interrupted")

    def _send_missing(self) -> None:
        """Send Prefect the lines of the log that it missed while it was away."""
        what = "Prefect does not show all lines of the log of this run"
        try:
            with self._signals.released():
                sent = self._spool.send_missing()
        except KeyboardInterrupt:
            self._run.notify(f"{what}: sending them was interrupted")
        except LOST as error:
            self._run.notify(f"{what}: {type(error).__name__}: {error}")
        else:
            if sent:
                self._run.notify(f"sent Prefect {sent:,} lines of the log that it had missed")

    def _is_api_lost(self) -> bool:
        """Whether Prefect does not answer any more. If so, the run ends in error, and nothing waits for Prefect again."""
        lost: Exception | None
        try:
            with self._signals.released():
                lost = missing_api(self._run.options.settings.data, self._run.notify)
        except KeyboardInterrupt:
            lost = TimeoutError("it does not answer")
        if lost is None:
            return False
        ask_once()
        self._cause = self._cause or lost_api(lost)
        return True

    def _kept(self, run: Opened) -> RunSummary:
        """Write and return the summary. If the record does not reach its place, it stays here and the run ends in error."""
        self._ship(run)
        try:
            summary = self._finished(run)
        except StorageError as error:
            self._cause = self._cause or error
            summary = self._summary()
            with suppress(StorageError):  # the failure of this place has been reported
                _report(run, summary)
            _leave(run, summary)
        else:
            self._list_run(run)
        return summary

    def _ship(self, run: Opened) -> None:
        try:
            with self._signals.released():
                run.shipment.close()
        except StorageError as error:
            self._cause = self._cause or error
        except KeyboardInterrupt:
            lost = StorageError("not all logs have been sent: sending them was interrupted", "the full logs are in the results")
            self._cause = self._cause or lost

    def _finished(self, run: Opened) -> RunSummary:
        store = run.store
        try:
            with self._signals.released():
                store.settle()
                summary = self._summary()
                _report(run, summary)
                store.finish(summary)
        except KeyboardInterrupt as error:
            hint = f"they are kept in {store.folder}"
            if store.url != store.folder.as_uri():
                hint += f"; `dockercise results push {run.run_id}` sends them"
            raise StorageError(f"not all results are at {store.url}: sending them was interrupted", hint) from error
        return summary

    def _list_run(self, run: Opened) -> None:
        try:
            with self._signals.released():
                update_runs_page(WithEndings(run.store.objects, run.options.settings.data), run.pipeline.name)
        except DockerciseError as error:
            run.notify(f"the list of runs is not up to date: {error.message}")
        except KeyboardInterrupt:  # the run itself is over, and its record is complete
            run.notify("the list of runs is not up to date: the update was interrupted")

    def _summary(self) -> RunSummary:
        run = self._run
        record = run.record if isinstance(run, Opened) else None
        known = record.stages() if record else {}
        in_order = [name for name in run.lines if name in known] if isinstance(run, Resolved) else []  # as their lines are
        names = dict.fromkeys([*in_order, *known])
        stages = {stage.name: known.get(stage.name, NEVER_STARTED) for stage in with_members(run.pipeline, names)}
        if record and record.storage_error:
            self._cause = self._cause or StorageError(record.storage_error)
        return RunSummary(
            run_id=run.run_id,
            pipeline=run.pipeline.name,
            status=self._status(stages.values()),
            error=self._cause.message if self._cause else None,
            started=run.started.isoformat(),
            finished=datetime.now(UTC).isoformat(),
            flow_run_id=str(run.flow_run.id),
            flow_run_url=page(run.flow_run),
            results=run.store.url if isinstance(run, Opened) else None,
            code_digest=self._executed.code_digest,
            stages=stages,
        )

    def _status(self, stages: Iterable[StageSummary]) -> RunStatus:
        """Our own error takes precedence over a cancellation, and a cancellation over a failed stage (DESIGN section 3)."""
        statuses = {stage.status for stage in stages}
        if self._cause is not None or StageStatus.ERROR in statuses:
            return RunStatus.ERROR
        if self._interrupted_by is not None:
            return RunStatus.CANCELLED
        return RunStatus.PASSED if all(status.succeeded for status in statuses) else RunStatus.FAILED


def failed_state(failure: RunFailedError) -> State[RunFailedError]:
    """The final state of the flow run of a run that did not pass. Its result is the error."""
    state = Cancelled if failure.summary.status is RunStatus.CANCELLED else Failed
    return state(message=headline(failure.summary), data=failure)


def _report(run: Opened, summary: RunSummary) -> None:
    try:
        html = report(run.store.folder, run.pipeline, summary, run.commit)
    except Exception as error:  # noqa: BLE001  a page that cannot be made is not a reason for a run to fail
        run.notify(f"this run has no report.html: {type(error).__name__}: {error}")
    else:
        run.store.keep_report(html)


def _leave(run: Opened, summary: RunSummary) -> None:
    try:
        run.store.leave(summary)
    except StorageError:
        with suppress(StorageError):  # then it cannot be stored anywhere
            end_elsewhere(summary, run.options.settings.data)
