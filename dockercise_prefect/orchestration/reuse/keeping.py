"""Keeps what stages with `cache` leave, for later runs."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Protocol

from dockercise_prefect.archives.tarball import packed
from dockercise_prefect.errors import DockerciseError, StorageError
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.reuse.ingredients import Ingredients
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import JobResult, Stdout
from dockercise_prefect.status import StageStatus

NAMED = 4
"""How many stages a message names before it only counts them."""


class Place(Protocol):
    """What a place of results has (`sources.CacheSource`).

    Raises:
        StorageError: from both: the place cannot be read.
    """

    @property
    def contents(self) -> Container[str]:
        """The digests of contents that need not be stored again."""
        ...

    @property
    def all_withdrawn(self) -> Container[str]:
        """The keys of which nothing may be reused."""
        ...


class Keeping:
    """Keeps what the stages of one run leave. Thread-safe. If the place cannot store it, the user is told, and the run goes on.

    Args:
        entries: the entries of the pipeline.
        contents: the contents in the place.
        record: the record of the run on this machine, which has the volumes.
        opened: opens what an attempt printed.
        notify: called with a line for the user if something cannot be kept.
    """

    def __init__(
        self,
        entries: Entries,
        contents: Contents,
        record: RecordedRun,
        opened: Callable[[Stdout], AbstractContextManager[Printed]],
        notify: Callable[[str], None],
    ) -> None:
        self._entries = entries
        self._contents = contents
        self._record = record
        self._opened = opened
        self._notify = notify
        self._lock = Lock()
        self._new: dict[StageName, Entry] = {}
        self._withdrawn: set[str] = set()
        self._not_kept: list[StageName] = []

    def keep(self, stage: Stage, result: JobResult, made_from: Ingredients, place: Place) -> None:
        """Keep what a stage left, if it passed, all of it is known, and it may be reused. Its volume is in the record already.

        Args:
            stage: the stage.
            result: of its last attempt.
            made_from: what that was made from.
            place: what the place has already.
        """
        entry = self._entry(stage, result, made_from)
        if entry is None or result.stdout is None:
            return
        try:
            if made_from.key in self._withdrawn or made_from.key in place.all_withdrawn:
                return
            if result.stdout.size and entry.output_digest not in place.contents:
                with self._opened(result.stdout) as printed:
                    self._contents.keep_output(entry.output_digest, printed.chunks())
            if entry.volume_digest is not None and entry.volume_digest not in place.contents:
                self._contents.keep_volume(entry.volume_digest, stage.name, packed(self._record.volume(stage.name)))
        except (DockerciseError, OSError) as error:
            with self._lock:
                self._not_kept.append(stage.name)
                is_first = len(self._not_kept) == 1
            if is_first:
                self._say(stage.name, error)
        else:
            with self._lock:
                self._new[stage.name] = entry

    def withdraw(self, stage: Stage, made_from: Ingredients) -> None:
        """See to it that no run reuses what a stage has left, that was made from this."""
        self._withdrawn.add(made_from.key)
        try:
            self._entries.withdraw(made_from.key, self._record.run_id)
        except StorageError as error:
            self._notify(f"later runs may still reuse {stage.name}, because its reuse cannot be withdrawn: {error}")

    def close(self, reused: Mapping[StageName, Entry]) -> None:
        """Write the entries, if there are new ones, with those that the run has reused: so they stay among the newest."""
        with self._lock:
            new, more = dict(self._new), self._not_kept[1:]
        if more:
            self._notify(
                f"later runs cannot reuse {len(more)} more stage{'' if len(more) == 1 else 's'} either: {_named(more)}"
            )
        if new:
            try:
                self._entries.add(self._record.run_id, {**reused, **new}.values())
            except StorageError as error:
                self._say("this run", error)

    def _entry(self, stage: Stage, result: JobResult, made_from: Ingredients) -> Entry | None:
        stdout, volume = result.stdout, result.volume
        if result.status is not StageStatus.PASSED or result.exit_code not in {0, None}:
            return None
        if stdout is None or stdout.digest is None or stdout.file is None:
            return None
        if volume is not None and volume.written and volume.digest is None:
            return None
        return Entry(
            stage=stage.name,
            ingredients=made_from,
            run_id=self._record.run_id,
            finished=result.finished.isoformat(),
            seconds=max(0.0, (result.finished - result.started).total_seconds()),
            output_digest=stdout.digest,
            output_size=stdout.size,
            volume_digest=None if volume is None or not volume.written else volume.digest,
        )

    def _say(self, what: str, error: Exception) -> None:
        self._notify(f"later runs cannot reuse {what}: {error}")


def _named(stages: Sequence[StageName]) -> str:
    names = ", ".join(stages[:NAMED])
    return names + (f" and {len(stages) - NAMED} more" if len(stages) > NAMED else "")
