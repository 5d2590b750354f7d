"""Reuse in one run, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.orchestration.reuse.audit import compared, is_drawn
from dockercise_prefect.orchestration.reuse.file_lists import RunFileLists
from dockercise_prefect.orchestration.reuse.keeping import Keeping
from dockercise_prefect.orchestration.reuse.known import Inputs, Known, Seen, is_unread
from dockercise_prefect.orchestration.reuse.resume import Resume
from dockercise_prefect.orchestration.reuse.reusing import Reusing
from dockercise_prefect.orchestration.reuse.sources import CacheSource, RecordSource, Source
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.reusable import not_reusable
from dockercise_prefect.pipeline.seen import seen_volumes
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.cache.lists import Lists
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.results.summary import AuditSummary
from dockercise_prefect.reuse.ingredients import Ingredients
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import JobResult, Stdout
from dockercise_prefect.runtime.stage.ports import Texts
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, kw_only=True)
class ReuseOptions:
    """How a run reuses stages.

    Attributes:
        no_cache: whether all stages run. What they leave is kept for later runs all the same.
        fail_on_miss: whether a stage with `cache` that is not reused fails instead of running.
        is_kept: whether later runs may reuse what this run leaves. An untrusted pipeline leaves nothing.
        audit: one in so many stages that could be reused is run all the same, and compared; 0 for none.
        aws: whether stages get the user's AWS folder, and with it whatever it opens.
        resume: the recorded runs that are resumed; None if none is.
    """

    no_cache: bool = False
    fail_on_miss: bool = False
    is_kept: bool = True
    audit: int = 0
    aws: bool = False
    resume: Resume | None = None


@dataclass(frozen=True, kw_only=True)
class RunAccess:
    """What reuse needs of its run.

    Attributes:
        pipeline: the stages that run.
        seen: knows the images and the code.
        texts: knows the texts of variables.
        secret: for each stage that has any, the variables whose texts came from a source of secrets.
        sensitive: returns why the output of a stage is sensitive; None if it is not.
        store: stores the record.
        opened: opens what an attempt printed.
        find_key: returns the key for digests of what is sensitive, or None if Prefect does not store one.
        note: called with what a stage is made from.
        audited: called with how a stage compares that could have been reused.
        notify: called with a line for the user.
    """

    pipeline: Pipeline
    seen: Seen
    texts: Texts
    secret: Mapping[StageName, Sequence[str]]
    sensitive: Callable[[Stage], str | None]
    store: RunStore
    opened: Callable[[Stdout], AbstractContextManager[Printed]]
    find_key: Callable[[], bytes | None]
    note: Callable[[Stage, Ingredients], None]
    audited: Callable[[Stage, AuditSummary], None]
    notify: Callable[[str], None]


class RunReuse:
    """Finds stages of one run that need not run, and keeps what the others leave.

    Args:
        run: the run.
        options: how it reuses stages.

    Attributes:
        finding: finds the stages.
    """

    def __init__(self, run: RunAccess, options: ReuseOptions) -> None:
        self._options = options
        self._not_reusable = not_reusable(run.pipeline)
        self._sensitive = run.sensitive
        objects, name, folder = run.store.objects, run.pipeline.name, run.store.folder
        self._cache = CacheSource(objects, name, partial(is_drawn, run_id=folder.name, one_in=options.audit))
        known = Known(
            pipeline=run.pipeline,
            seen=run.seen,
            texts=run.texts,
            secret=run.secret,
            opened=run.opened,
            find_key=run.find_key,
        )
        resume = options.resume or Resume(runs=())
        sources: list[Source] = [RecordSource(one.entries, resume.as_it_was) for one in resume.runs]
        if not options.no_cache:
            sources.append(self._cache)
        self._known, self._note, self._audited, self._notify = known, run.note, run.audited, run.notify
        self._lock = Lock()
        self._inputs: dict[StageName, Inputs] = {}
        self._left: dict[StageName, JobResult] = {}
        self._unsettled: dict[StageName, Stage] = {}
        self._lists = RunFileLists(Lists(objects), lambda folder: run.seen.code_digests().listing(folder))
        self._listed = set(self._seen_by_reusable(run.pipeline)) if options.is_kept else set()
        self.finding = Reusing(known, sources, lambda stage: self._obstacle(stage) is None, run.note, resume.afresh)
        record = RecordedRun(FolderObjects(folder.parent.parent), name, folder.name)
        self._keeping = Keeping(Entries(objects, name), Contents(objects), record, run.opened, run.notify)

    def why(self, stage: Stage) -> str | None:
        """See `Reuses`."""
        if (self._options.no_cache and self._options.resume is None) or stage.name in self.finding.audited:
            return None
        return self.finding.why(stage.name, self._lists) or self._why_not_resumed(stage) or self._why_sensitive(stage)

    def refusal(self, stage: Stage) -> str | None:
        """See `Reuses`."""
        if stage.cache is None or not self._options.fail_on_miss or stage.name in self.finding.audited:
            return None
        why = self._obstacle(stage) or "has not passed before"
        return f"not reused: {self.finding.why(stage.name, self._lists) or f'it {why}'}"

    def started(self, stage: Stage, inputs: Inputs) -> None:
        """See `Reuses`."""
        with self._lock:
            self._inputs[stage.name] = inputs

    def listed(self, stage: Stage) -> Callable[[bytes], None] | None:
        """See `Reuses`."""
        return self._lists.begin(stage.name) if stage.declared_name in self._listed and self._sensitive(stage) is None else None

    def settled(self, stage: Stage, result: JobResult) -> Iterable[Stage]:
        """See `Reuses`."""
        with self._lock:
            self._left[stage.name] = result
            self._unsettled[stage.name] = stage
            ready = [one for one in self._unsettled.values() if self._sees_what_is_known(one)]
            for one in ready:
                del self._unsettled[one.name]
        for one in ready:
            self._settle(one)
        return ready

    def _sees_what_is_known(self, stage: Stage) -> bool:
        """Whether the content of each volume that the stage has seen is known, or will not be known."""
        inputs = self._inputs.get(stage.name, {})
        return all(name in self._left or not is_unread(inputs[name]) for name in seen_volumes(stage) if name in inputs)

    def _settle(self, stage: Stage) -> None:
        result = self._left[stage.name]
        if (then := self.finding.audited.get(stage.name)) is not None:
            self._compare(stage, result, then)
        if result.status is not StageStatus.PASSED or is_unread(result) or self._obstacle(stage) is not None:
            return
        made_from = self.finding.made_from.get(stage.name)
        if made_from is not None and stage.cache is not None and self._options.is_kept:
            self._keeping.keep(stage, result, made_from, self._cache)
            with suppress(DockerciseError, OSError):  # then later runs name the folder instead of the file
                self._lists.keep(made_from)
        if made_from is None:
            inputs = {name: self._left.get(name, left) for name, left in self._inputs.get(stage.name, {}).items()}
            with suppress(DockerciseError, OSError):
                made_from = self._known.ingredients(stage, inputs)
        if made_from is not None:
            self._note(stage, made_from)

    def _compare(self, stage: Stage, result: JobResult, then: Entry) -> None:
        audit = compared(result, then)
        if audit is None:
            return
        if audit.difference is not None:
            self._notify(
                f"{stage.name} left something else than in {then.run_id}, although nothing that it is made from has changed: "
                f"{audit.difference}; it is not reused any more until something that it is made from changes"
            )
            self._keeping.withdraw(stage, then.ingredients)
        self._audited(stage, audit)

    def close(self) -> None:
        """Write what later runs need to know, after the last stage has ended."""
        self._keeping.close(self.finding.reused)

    def _why_not_resumed(self, stage: Stage) -> str | None:
        """Why a stage runs that passed in a run that is resumed, if nothing of it can be taken from there."""
        incomplete = None if self._options.resume is None else self._options.resume.incomplete(stage.name)
        if incomplete is None:
            return None
        obstacle = self._obstacle(stage)
        return incomplete if obstacle is None else f"it {obstacle}"

    def _why_sensitive(self, stage: Stage) -> str | None:
        """Why a stage with `cache` is never reused that is sensitive only in this run: a Secret block has a variable of it."""
        because = None if stage.cache is None else self._sensitive(stage)
        return None if because is None else f"it {_sensitive_words(because)}"

    def _obstacle(self, stage: Stage) -> str | None:
        """Why the stage cannot be reused at all, in words that follow `it`; None if it can be."""
        if self._options.aws:
            return "gets your AWS folder, and with it whatever that opens"
        if (because := self._sensitive(stage)) is not None:
            return _sensitive_words(because)
        return self._not_reusable.get(stage.declared_name)

    def _seen_by_reusable(self, pipeline: Pipeline) -> Iterator[StageName]:
        """The stages whose volumes are seen by stages with `cache` that can be reused."""
        for stage in pipeline:
            if stage.cache is not None and stage.name not in self._not_reusable:
                yield from seen_volumes(stage)


def _sensitive_words(because: str) -> str:
    return f"is sensitive ({because}), so nothing of it is kept"
