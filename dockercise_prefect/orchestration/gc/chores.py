"""The parts of `gc`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.orchestration.crash.left_run import wants_cleanup
from dockercise_prefect.orchestration.crash.records import DeadRecords
from dockercise_prefect.orchestration.crash.recovery import Lost, Recovery, last_words
from dockercise_prefect.orchestration.crash.unfinished import UnfinishedRun
from dockercise_prefect.orchestration.gc.collect import FAILURES, Chore
from dockercise_prefect.orchestration.gc.item import Item, Kind, Verb
from dockercise_prefect.orchestration.packages.fetch import FOLDER as PACKAGES
from dockercise_prefect.orchestration.prefect.api import LOST
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.registrations.checkout import FOLDER as REPOSITORIES
from dockercise_prefect.orchestration.reuse.sources import RUNS
from dockercise_prefect.quantities import shown_bytes
from dockercise_prefect.repository.idle_mirrors import idle_mirrors
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.places.place import parse_place, shown
from dockercise_prefect.results.push import push
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.unsent import Destination, NotWaitingError, UnsentRun, unsent_runs
from dockercise_prefect.results.upkeep.cache import CacheLimits, unwanted_in_cache
from dockercise_prefect.results.upkeep.dead_run import Death
from dockercise_prefect.results.upkeep.never_begun import NeverBegun, never_begun
from dockercise_prefect.results.upkeep.old_files import old_files, remove_files
from dockercise_prefect.results.upkeep.retention import Limits, days_in_words
from dockercise_prefect.results.upkeep.stored_runs import UnwantedRecord, refresh_pages, unwanted
from dockercise_prefect.runtime.cleanup.labels import AFTER_CRASH, FLOW_RUN
from dockercise_prefect.runtime.cleanup.ownership import ownerless, this_process
from dockercise_prefect.runtime.cleanup.removal import counted, remove_all
from dockercise_prefect.runtime.docker.facts import EngineInspection
from dockercise_prefect.runtime.engine import Engine, Leftover
from dockercise_prefect.settings import Settings


class Chores:
    """All parts of `gc`, in the order in which they have to be done.

    Clean-up stages run first, because they need what is on the engine. Then dead runs lose what they have there, and they get
    Crashed last. So what is interrupted here is found again.

    Args:
        settings: say where everything is, and what is kept.
        recovery: finds and ends dead runs.
        records: ends records.
        wait: see `Recovery.all_dead`.
        notify: called with a message about what cannot be decided.
        take_over: finishes the run with the record in this folder.
    """

    def __init__(  # noqa: PLR0917  everything that `gc` needs
        self,
        settings: Settings,
        recovery: Recovery,
        records: DeadRecords,
        wait: Callable[[float], None],
        notify: Callable[[str], None],
        take_over: Callable[[Path], object],
    ) -> None:
        self._settings = settings
        self._recovery = recovery
        self._records = records
        self._wait = wait
        self._notify = notify
        self._take_over = take_over
        self._lost: Lost | None = None
        self._to_end: set[str] = set()
        self._finished: set[str] = set()

    def all(self) -> Sequence[Chore]:
        """The parts."""
        return (
            Chore(Kind.RUN, self.cleanups),
            Chore(Kind.ENGINE, self.leftovers),
            Chore(Kind.RUN, self.dead_runs),
            Chore(Kind.RECORD, self.dead_records),
            Chore(Kind.RECORD, self.never_begun_records),
            Chore(Kind.UNSENT, self.unsent_records),
            Chore(Kind.RECORD, self.unwanted_records),
            Chore(Kind.CACHE, self.cached),
            Chore(Kind.REPOSITORY, self.mirrors),
            Chore(Kind.PACKAGES, self.packages),
            Chore(Kind.BUILD_CACHE, self.build_cache),
        )

    def cleanups(self) -> Iterator[Item]:
        """The dead runs whose clean-up stages are to run."""
        with suppress(*LOST):  # `dead_runs` reports that Prefect does not answer
            for run in self._dead().dead:
                if (folder := self._records.wants_cleanup(run)) is not None:
                    name = f"the run {run.name} of {run.pipeline}"
                    self._finished.add(run.id)
                    yield Item(Kind.RUN, Verb.CLEAN_UP, name, last_words(run), partial(self._finish, run, folder))

    def leftovers(self) -> Iterator[Item]:
        """What dead runs left on the engine."""
        dead: set[str] = set()
        with suppress(*FAILURES):  # `dead_runs` reports that Prefect does not answer
            dead = {run.id for run in self._dead().dead}
        with closing(connect_engine(self._settings)) as engine:
            found = ownerless(engine, this_process(engine), dead)
            left = [each for each in found if each.labels.get(FLOW_RUN) not in self._finished]
            if self._lost is None:  # the clean-up stages that need it have not run, because Prefect does not answer
                left = [each for each in left if AFTER_CRASH not in each.labels]
            if left:
                yield Item(Kind.ENGINE, Verb.REMOVE, counted(left), "their runs are dead", partial(_discard, engine, left))

    def dead_runs(self) -> Iterator[Item]:
        """The flow runs in Prefect whose processes are dead."""
        lost = self._dead()
        dead = [run for run in lost.dead if run.id not in self._finished]
        self._to_end = {run.id for run in dead}
        for run in dead:
            of = f" of {run.pipeline}" if run.pipeline else ""
            yield Item(Kind.RUN, Verb.END, f"the run {run.name}{of}", last_words(run), partial(self._end_run, run))
        for run in self._recovery.crashed_in_part():
            name = f"the task runs of {run.name}"
            yield Item(Kind.RUN, Verb.END, name, "their flow run is Crashed", partial(self._recovery.end_tasks, run))
        if lost.unknown:
            names = ", ".join(run.name for run in lost.unknown)
            self._notify(
                f"not known whether they still run, because they give no sign of life: {names}; "
                "`prefect flow-run delete ID` removes one from Prefect's list"
            )

    def dead_records(self) -> Iterator[Item]:
        """The records on this machine whose processes are dead, and of which Prefect knows nothing any more."""
        for record, death in self._records.without_process(this_process(None)):
            if death.flow_run_id in self._to_end | self._finished:  # it has been named, and would be ended with its flow run
                continue
            if self._lost is None and wants_cleanup(Path(shown(record.url))):  # the next `gc` runs its clean-up stages
                continue
            yield Item(Kind.RECORD, Verb.END, _named(record), death.error, partial(self._end, record, death))

    def never_begun_records(self) -> Iterator[Item]:
        """The folders of records whose processes died before they had written anything."""
        place = parse_place(self._settings.results)
        pipelines: set[str] = set()

        def remove(left: NeverBegun) -> None:
            left.remove()
            pipelines.update([left.pipeline] if left.pipeline else [])

        for left in never_begun(place if isinstance(place, Path) else None, self._settings.data, datetime.now(UTC)):
            yield Item(Kind.RECORD, Verb.REMOVE, f"the empty record {left.path}", "its run never began", partial(remove, left))
        if pipelines:
            refresh_pages(open_objects(self._settings.results, self._settings), pipelines)

    def unsent_records(self) -> Iterator[Item]:
        """The records that a bucket did not accept. They are sent; those that are too old do not stay if that fails again."""
        limit = self._age_of(self._settings.keep_days)
        for unsent in unsent_runs(self._settings.data):
            if not unsent.is_idle():
                continue
            try:
                destination = unsent.destination
            except StorageError as error:
                self._notify(str(error))
                continue
            record = RecordedRun(FolderObjects(unsent.folder), destination.pipeline, unsent.run_id)
            if limit is not None and record.began < limit:
                why = f"older than {days_in_words(self._settings.keep_days or 0)} (keep_days)"
                yield Item(Kind.UNSENT, Verb.REMOVE, f"the unsent {record.path}", why, partial(self._send_or_forget, unsent))
            else:
                why = f"it did not reach {destination.place}"
                yield Item(Kind.UNSENT, Verb.SEND, _named(record), why, partial(self._send, unsent))

    def unwanted_records(self) -> Iterator[Item]:
        """The records that exceed a limit of the settings."""
        settings = self._settings
        limits = Limits(settings.keep_days, settings.keep_runs, settings.keep_size)
        if not limits.are_set:
            return
        objects = open_objects(settings.results, settings)
        pipelines: set[str] = set()

        def remove(record: UnwantedRecord) -> None:
            record.remove()
            pipelines.add(record.run.pipeline)

        for each in unwanted(objects, limits, datetime.now(UTC)):
            yield Item(Kind.RECORD, Verb.REMOVE, _named(each.run), each.why, partial(remove, each), each.size)
        refresh_pages(objects, pipelines)

    def cached(self) -> Iterator[Item]:
        """What stages with `cache` have left that is too old, or too much."""
        settings = self._settings
        limits = CacheLimits(settings.cache_days, RUNS, settings.cache_size)
        for each in unwanted_in_cache(open_objects(settings.results, settings), limits, datetime.now(UTC)):
            yield Item(Kind.CACHE, Verb.REMOVE, each.name, each.why, each.remove, each.size)

    def mirrors(self) -> Iterator[Item]:
        """The mirrors of repositories that were not used for a long time."""
        limit = self._age_of(self._settings.keep_cache_days)
        if limit is None:
            return
        for mirror in idle_mirrors(self._settings.data / REPOSITORIES, limit):
            why = f"not used since {mirror.used:%Y-%m-%d} (keep_cache_days)"
            yield Item(Kind.REPOSITORY, Verb.REMOVE, f"the clone {mirror.folder.name}", why, mirror.remove)

    def packages(self) -> Iterator[Item]:
        """What packages printed a long time ago. The next compilation runs their images again."""
        limit = self._age_of(self._settings.keep_cache_days)
        if limit is None:
            return
        files = old_files(self._settings.data / PACKAGES, limit)
        if files:
            name = f"what packages printed ({len(files)} file{'' if len(files) == 1 else 's'})"
            why = f"older than {days_in_words(self._settings.keep_cache_days or 0)} (keep_cache_days)"
            size = sum(file.size for file in files)
            yield Item(Kind.PACKAGES, Verb.REMOVE, name, why, partial(remove_files, files), size)

    def build_cache(self) -> Iterator[Item]:
        """The part of the engine's build cache that exceeds the limit of the settings."""
        limit = self._settings.keep_build_cache
        if limit is None:
            return
        inspection = EngineInspection.connect()
        with closing(inspection.engine):
            size = inspection.usage().build_cache
            if size > limit:
                why = f"it has {shown_bytes(size)}, more than {shown_bytes(limit)} (keep_build_cache)"
                name = "what was not used longest of the engine's build cache"
                yield Item(
                    Kind.BUILD_CACHE, Verb.REMOVE, name, why, partial(inspection.shrink_build_cache, limit), size - limit
                )

    def _dead(self) -> Lost:
        """The dead runs. Looked for once, since it may take a while."""
        if self._lost is None:
            self._lost = self._recovery.all_dead(self._wait, self._notify)
        return self._lost

    def _finish(self, run: UnfinishedRun, folder: Path) -> None:
        try:
            self._take_over(folder)
        except FAILURES:
            self._finished.discard(run.id)
            raise

    def _end_run(self, run: UnfinishedRun) -> None:
        self._recovery.end(run)
        self._to_end.discard(run.id)

    def _end(self, record: RecordedRun, death: Death) -> None:
        self._records.end(record, death)

    def _send(self, unsent: UnsentRun) -> None:
        with suppress(NotWaitingError):  # another process has sent it
            push(unsent, self._opened, self._notify)

    def _send_or_forget(self, unsent: UnsentRun) -> None:
        try:
            self._send(unsent)
        except StorageError:
            with suppress(NotWaitingError), unsent.held():
                unsent.end()

    def _opened(self, destination: Destination) -> Objects:
        return open_objects(destination.place, self._settings)

    @staticmethod
    def _age_of(days: int | None) -> datetime | None:
        return None if days is None else datetime.now(UTC) - timedelta(days=days)


def _named(record: RecordedRun) -> str:
    return f"the record {record.path}"


def _discard(engine: Engine, leftovers: Sequence[Leftover]) -> None:
    stuck = remove_all(engine, leftovers)
    if stuck:
        kept = ", ".join(f"{leftover.kind} {leftover.id}: {error.message}" for leftover, error in stuck)
        raise EngineError(f"could not remove {kept}", "the next run tries again")
