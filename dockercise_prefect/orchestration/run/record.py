"""The record of a run while it runs: the result of each stage is written to the store and passed to the observer.

A failure of the store does not affect stages: the run goes on, and ends in error with the first message of the store.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from tarfile import TarError
from typing import TYPE_CHECKING, Any

from dockercise_prefect.archives.content_digest import content_digested
from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.orchestration.run.events import Notice, Observer, StageEnded, StageStarted
from dockercise_prefect.orchestration.run.secrecy import Secrecy, SensitiveFoundError, looked_through
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.members import with_members
from dockercise_prefect.results.record.file_names import volume_file
from dockercise_prefect.results.record.journal import Entry, Journal
from dockercise_prefect.results.record.store import Kept, LogWriter, RunStore
from dockercise_prefect.results.summary import ApprovalSummary, AuditSummary, InstanceSummary, StageSummary
from dockercise_prefect.results.tests.stage_tests import StageTests
from dockercise_prefect.reuse.ingredients import Ingredients
from dockercise_prefect.runtime.engine import EngineLostError
from dockercise_prefect.runtime.secrets.masking import Scan
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume
from dockercise_prefect.runtime.stage.running import EndedAtOnceError
from dockercise_prefect.status import RunStatus, StageStatus

if TYPE_CHECKING:
    from dockercise_prefect.results.tests.reports import Reports


class RunRecord:
    """The record of one run. Every method may be called from any thread.

    Args:
        store: stores the record.
        observer: called with each event.
        secrecy: says what must not be stored.
    """

    def __init__(self, store: RunStore, observer: Observer, secrecy: Secrecy) -> None:
        self._store = store
        self._observer = observer
        self._secrecy = secrecy
        self._lock = threading.Lock()
        self._stages: dict[StageName, StageSummary] = {}
        self._kept: dict[StageName, Kept] = {}
        self._made_from: dict[StageName, Ingredients] = {}
        self._outputs: list[StageName] = []
        self._approvals: dict[StageName, ApprovalSummary] = {}
        self._scans: dict[StageName, Scan | None] = {}
        self._storage_error: str | None = None
        self._cancelled = False
        self._died = False
        self._journal = Journal(store.folder)

    @property
    def storage_error(self) -> str | None:
        """The message of the first failure of the store; None if it did not fail."""
        return self._storage_error

    @property
    def url(self) -> str:
        """The URL of the record, now or after the end of the run."""
        return self._store.url

    def stages(self) -> dict[StageName, StageSummary]:
        """The summary of each stage that was started or will never start."""
        with self._lock:
            return dict(self._stages)

    def resume(self, stages: Mapping[StageName, StageSummary], kept: Mapping[StageName, Kept]) -> None:
        """Go on with the record of a run whose process has died.

        Args:
            stages: the summaries of the stages that had started, or would never start.
            kept: what is stored of each of them.
        """
        with self._lock:
            self._stages.update(stages)
            self._approvals.update({name: one.approval for name, one in stages.items() if one.approval is not None})
            self._kept.update(kept)
            self._made_from.update({name: one.made_from for name, one in kept.items() if one.made_from is not None})
            self._outputs += [name for name, one in kept.items() if one.output_digest is not None]

    def note(self, what: Entry, data: Any) -> None:
        """Note something that another process would need to finish the run (`results.record.journal`)."""
        self._keep(lambda: self._journal.note(what, data))

    def run_cancelled(self, by: str) -> None:
        """Somebody asked the run to end."""
        if not self._cancelled:
            self._cancelled = True
            self.note(Entry.CANCELLED, {"by": by, "at": datetime.now(UTC).isoformat()})

    def run_died(self) -> None:
        """The process of the run has died, and this one goes on. However its stages ended, the run has failed."""
        self._died = True

    @property
    def standing(self) -> RunStatus:
        """How the run stands now: `passed` as long as nothing has failed."""
        if self._cancelled:
            return RunStatus.CANCELLED
        failed = self._died or any(summary.status.to_blame for summary in self.stages().values())
        return RunStatus.FAILED if failed else RunStatus.PASSED

    def stage_answered(self, stage: Stage, approval: ApprovalSummary) -> None:
        """Somebody was asked whether the stage may run. This becomes a part of its summary."""
        with self._lock:
            self._approvals[stage.name] = replace(approval, by=approval.by and self._secrecy.masker.text(approval.by))

    def stage_started(self, stage: Stage, started: datetime, task_run_id: str | None) -> None:
        """The stage's task run began."""
        summary = StageSummary(
            StageStatus.RUNNING,
            started=started.isoformat(),
            task_run_id=task_run_id,
            instance=_instance(stage),
            approval=self._approvals.get(stage.name),
        )
        self._note(stage.name, summary)
        self._keep(lambda: self._store.stage_started(stage.name, summary))
        self._observer(StageStarted(stage.name))

    def group_started(self, group: Stage) -> None:
        """The members of a group are known, and may start."""
        self.stage_started(group, datetime.now(UTC), None)

    def group_ended(self, group: Stage, status: StageStatus, message: str, task_run_id: str | None) -> None:
        """All members of a group have ended, or cannot be made. It leaves nothing but what its members left."""
        now = datetime.now(UTC).isoformat()
        with self._lock:
            begun = self._stages.get(group.name)
        started = now if begun is None else begun.started
        shown = self._secrecy.masker.text(message)
        summary = StageSummary(status, started=started, finished=now, task_run_id=task_run_id, message=shown)
        self._end(group.name, summary, Kept(sensitive=self._secrecy.because(group)))
        self._store.leave_volume_out(group.name)

    def log(self, stage: Stage) -> LogWriter:
        """The writer for the output of the stage."""
        return self._store.log(stage.name)

    def stage_ended(self, stage: Stage, result: JobResult, kept: Kept, task_run_id: str | None) -> None:
        """The stage ran and ended. `kept` says which part of its output may be in the record, and has its earlier attempts.

        From here on, its volume may be stored, if it contains nothing that is now known to be sensitive.
        """
        self.note(Entry.RESULT, result.to_json())
        summary = StageSummary(
            result.status,
            exit_code=result.exit_code,
            started=kept.earlier_attempts[0].started if kept.earlier_attempts else result.started.isoformat(),
            finished=result.finished.isoformat(),
            image_digest=result.image_digest,
            task_run_id=task_run_id,
            message=result.message,
            attempts=result.attempt,
            instance=_instance(stage),
            approval=self._approvals.get(stage.name),
        )
        self._scans[stage.name] = self._secrecy.scan(stage)
        if result.stdout is not None and result.stdout.file is not None:
            with self._lock:
                self._outputs.append(stage.name)
        if (why := kept.left_out.get("output")) is not None:
            self._observer(Notice(_left_out("output", stage, why)))
        self._end(stage.name, summary, kept)

    def stage_never_ran(
        self, stage: Stage, status: StageStatus, message: str, because: StageName | None, task_run_id: str | None
    ) -> None:
        """The stage is skipped, or not started. `message` says why, `because` is the stage that is the reason."""
        summary = StageSummary(
            status,
            task_run_id=task_run_id,
            message=message,
            because=because,
            instance=_instance(stage),
            approval=self._approvals.get(stage.name),
        )
        self._end(stage.name, summary, Kept(sensitive=self._secrecy.because(stage)))
        self._store.leave_volume_out(stage.name)

    def stage_reused(self, stage: Stage, result: JobResult) -> None:
        """The stage need not run. `result` is of an earlier run."""
        self.note(Entry.RESULT, result.to_json())
        stdout, volume = result.stdout, result.volume
        tests = self._tests_of_then(stage, result)
        summary = StageSummary(
            result.status,
            result.exit_code,
            image_digest=result.image_digest,
            message=result.message,
            reused_from=None if stdout is None else stdout.reused_from,
            instance=_instance(stage),
            tests=None if tests is None else tests.counts,
        )
        kept = Kept(
            output_digest=None if stdout is None else stdout.digest,
            volume_digest=None if volume is None else volume.digest,
            output_size=None if stdout is None else stdout.size,
        )
        self._end(stage.name, summary, kept)
        self._store.leave_volume_out(stage.name)

    def reused_shown(self, stage: Stage, task_run_id: str) -> None:
        """A stage that is reused has a task run now, because a stage that runs needs it."""
        with self._lock:
            self._stages[stage.name] = replace(self._stages[stage.name], task_run_id=task_run_id)
        self._amend(stage, lambda kept: kept)

    def stage_broke(self, stage: Stage, message: str, task_run_id: str | None) -> None:
        """Dockercise failed to run the stage, so there is no result. What was recorded of the stage earlier is kept."""
        shown = self._secrecy.masker.text(message)
        with self._lock:
            broken = StageSummary(StageStatus.ERROR, task_run_id=task_run_id, instance=_instance(stage))
            known = self._stages.get(stage.name, broken)
            kept = self._kept.get(stage.name, Kept(sensitive=self._secrecy.because(stage)))
        self._end(stage.name, replace(known, status=StageStatus.ERROR, message=shown), kept)
        self._store.leave_volume_out(stage.name)

    def keep_volume(
        self,
        stage: Stage,
        volume: OwnVolume,
        files: Iterator[bytes],
        listed: Callable[[bytes], object] | None = None,
    ) -> OwnVolume:
        """Store the volume of the stage, after `stage_ended`. For a sensitive stage, only if nothing sensitive is found in it.

        Its test reports are read on the way. `listed` is called with each entry of the list of its files (docs/digests.md).

        Returns:
            The volume. Its `file` is None if it is not stored.
        """
        digests: list[str] = []
        reports = _reports(stage.junit) if stage.junit and not self._secrecy.because(stage) else None
        # Of a stage that another process has run, nobody has noted what was known when it ended.
        scan = self._scans[stage.name] if stage.name in self._scans else self._secrecy.scan(stage)
        try:
            checked = looked_through(files, scan)
            read = checked if reports is None else reports.collected(checked, stage.name)
            digested = content_digested(read, stage.name, digests.append, listed)
            base = self._store.keep_volume(stage.name, digested)
        except (SensitiveFoundError, EndedAtOnceError) as error:
            self._leave_out(stage, "volume", error.message)
        except EngineLostError as error:
            message = f"the engine stopped answering ({error.message}), so the volume of {stage.name} is not in the results"
            self.failed(StorageError(message, error.hint))
        except (StorageError, EngineError) as error:
            self.failed(StorageError(f"the volume of {stage.name} is not in the results: {error.message}", error.hint))
        except TarError as error:
            self.failed(
                StorageError(f"the volume of {stage.name} is not in the results: the engine sent a broken archive ({error})")
            )
        else:
            self._keep_tests(stage, None if reports is None else reports.tests())
            self._amend(stage, lambda kept: replace(kept, volume_digest=digests[0]))
            return replace(volume, digest=digests[0], file=volume_file(stage.name), base=base)
        return volume

    def leave_volume_out(self, stage: Stage) -> None:
        """The stage left nothing in its volume, or nothing that may be stored."""
        self._keep_tests(stage, None)
        self._store.leave_volume_out(stage.name)

    def note_made_from(self, stage: Stage, made_from: Ingredients) -> None:
        """Note what a stage is made from, before `stage_settled`. It is stored with the stage.

        Only for a stage that passed, if all that it left is in the record: later runs can take it from there.
        """
        with self._lock:
            self._made_from[stage.name] = made_from

    def stage_audited(self, stage: Stage, audit: AuditSummary) -> None:
        """A stage that has ended was compared with what could have been reused."""
        with self._lock:
            self._stages[stage.name] = replace(self._stages[stage.name], audit=audit)
        self._amend(stage, lambda kept: kept)

    def stage_settled(self, stage: Stage) -> None:
        """Nothing more will be known of a stage that has ended."""
        with self._lock:
            kept = self._kept.get(stage.name)
            is_stored = kept is None or kept.made_from == self._made_from.get(stage.name)
        if not is_stored:
            self._amend(stage, lambda kept: kept)
        self._forget_value(stage)

    def stage(self, name: StageName) -> StageSummary:
        """The summary of a stage that was started or will never start."""
        with self._lock:
            return self._stages[name]

    def bundle_outputs(self, pipeline: Pipeline) -> None:
        """Store the outputs of all stages in one file, after the last stage has ended."""
        printed = set(self._outputs)
        names = (stage.name for stage in with_members(pipeline, self.stages()) if stage.name in printed)
        self._keep(lambda: self._store.bundle_outputs(names))

    def failed(self, error: StorageError) -> None:
        """The record will not be complete. The run goes on, and ends in error."""
        with self._lock:
            first = self._storage_error is None
            self._storage_error = self._storage_error or error.message
        if first:
            self._observer(Notice(f"results cannot be saved: {error}"))

    def _tests_of_then(self, stage: Stage, result: JobResult) -> StageTests | None:
        """Copy the tests of a stage that is reused from the earlier run, since the record of that run may be removed."""
        if not stage.junit or result.stdout is None or result.stdout.reused_from is None:
            return None
        from dockercise_prefect.results.reading.recorded_run import RecordedRun  # noqa: PLC0415  most runs need none

        earlier = RecordedRun(self._store.objects, self._store.folder.parent.name, result.stdout.reused_from)
        try:
            tests = earlier.tests(stage.name)
        except StorageError as error:
            self._observer(Notice(f"the tests of {stage.name} are not in this record: {error.message}"))
            return None
        if tests is not None:
            self._keep(lambda: self._store.keep_tests(stage.name, tests.to_json()))
        return tests

    def _keep_tests(self, stage: Stage, found: StageTests | None) -> None:
        """Store the tests of a stage that has ended, or say why there are none."""
        if not stage.junit or self.stage(stage.name).exit_code is None:
            return
        if found is None:
            because = self._secrecy.because(stage)
            why = f"no file in its volume matches {', '.join(f'`{glob}`' for glob in stage.junit)}"
            self._leave_out(stage, "test report", f"its output is sensitive: {because}" if because else why)
            return
        tests = found.masked(self._secrecy.masker.text)
        for note in tests.left_out:
            self._observer(Notice(f"test reports of {stage.name}: {note}"))
        self._keep(lambda: self._store.keep_tests(stage.name, tests.to_json()))
        with self._lock:
            self._stages[stage.name] = replace(self._stages[stage.name], tests=tests.counts)

    def _leave_out(self, stage: Stage, what: str, why: str) -> None:
        self._amend(stage, lambda kept: replace(kept, left_out={**kept.left_out, what: why}))
        self._observer(Notice(_left_out(what, stage, why)))

    def _amend(self, stage: Stage, change: Callable[[Kept], Kept]) -> None:
        """Update the information on what is stored of a stage that has ended."""
        with self._lock:
            changed = replace(change(self._kept[stage.name]), made_from=self._made_from.get(stage.name))
            kept = self._kept[stage.name] = changed
            summary = self._stages[stage.name]
        self._keep(lambda: self._store.stage_ended(stage.name, summary, kept))

    def _end(self, name: StageName, summary: StageSummary, kept: Kept) -> None:
        self._note(name, summary)
        with self._lock:
            kept = self._kept[name] = replace(kept, made_from=self._made_from.get(name))
        self._keep(lambda: self._store.stage_ended(name, summary, kept))
        self._observer(StageEnded(name, summary))

    def _forget_value(self, stage: Stage) -> None:
        """Drop the value from memory: the stage's JSON is not written again, and the value would stay until the run ends."""
        with self._lock:
            if stage.name in self._kept:
                self._kept[stage.name] = replace(self._kept[stage.name], value=None)

    def _note(self, name: StageName, summary: StageSummary) -> None:
        with self._lock:
            self._stages[name] = summary

    def _keep(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StorageError as error:
            self.failed(error)


def _instance(stage: Stage) -> InstanceSummary | None:
    return None if stage.instance is None else InstanceSummary(stage.instance.of, stage.instance.key)


def _reports(globs: Sequence[str]) -> Reports:
    from dockercise_prefect.results.tests.reports import Reports  # noqa: PLC0415  only pipelines with reports need parsers

    return Reports(globs)


def _left_out(what: str, stage: Stage, why: str) -> str:
    return f"the {what} of {stage.name} is not kept: {why}"
