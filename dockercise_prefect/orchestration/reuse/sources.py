"""Where a run looks for stages that it need not run: in what stages with `cache` have left, and in the record of one run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.entry import Entry, newest_by_key
from dockercise_prefect.results.places.objects import Objects

RUNS = 32
"""Of how many runs the entries are read. A run writes its entries only if it has new ones, with those that it has reused."""


class Source(Protocol):
    """Knows what stages of earlier runs have left. Used by one thread."""

    def serves(self, stage: Stage) -> bool:
        """Whether the stage may be reused from here."""
        ...

    def find(self, stage: Stage, key: str) -> Entry | None:
        """The stage as it passed when it was made from the same; None if it was not, or if what it left is gone.

        Raises:
            StorageError: the place cannot be read.
        """
        ...

    def audits(self, stage: StageName) -> bool:
        """Whether the stage, if it is found here, is run all the same and compared."""
        ...

    def withdrawn(self, key: str) -> str | None:
        """The run that said that a stage made from this may not be reused any more; None if none did.

        Raises:
            StorageError: the place cannot be read.
        """
        ...

    def taken(self, stage: StageName) -> Entry | None:
        """The stage as it passed, if it is to be taken whatever it would be made from now; None if it is not.

        Raises:
            StorageError: the place cannot be read.
        """
        ...

    def every(self, stage: StageName) -> Sequence[Entry]:
        """The stage as often as it passed, the newest first. What it left may be gone.

        Raises:
            StorageError: the place cannot be read.
        """
        ...


@dataclass(frozen=True)
class CacheSource:
    """What stages with `cache` have left. The place is read when it is first needed.

    Attributes:
        objects: the place of the results.
        pipeline: the name of the pipeline.
        drawn: says whether a stage that could be reused is run all the same and compared.
    """

    objects: Objects
    pipeline: str
    drawn: Callable[[StageName], bool] = lambda _: False

    def serves(self, stage: Stage) -> bool:
        """See `Source`."""
        return stage.cache is not None

    def find(self, stage: Stage, key: str) -> Entry | None:
        """See `Source`."""
        entry = self._by_key.get(key)
        if entry is None or stage.cache is None or key in self.all_withdrawn or not self._is_there(entry):
            return None
        return entry if is_young(entry, stage.cache.max_age) else None

    def audits(self, stage: StageName) -> bool:
        """See `Source`."""
        return self.drawn(stage)

    def withdrawn(self, key: str) -> str | None:
        """See `Source`."""
        return self.all_withdrawn.get(key)

    def taken(self, stage: StageName) -> None:
        """See `Source`."""

    def every(self, stage: StageName) -> Sequence[Entry]:
        """See `Source`."""
        return self._every.get(stage, ())

    @cached_property
    def contents(self) -> Collection[str]:
        """The digests of all contents when the run began."""
        return Contents(self.objects).sizes().keys()

    @cached_property
    def all_withdrawn(self) -> Mapping[str, str]:
        """The keys of which nothing may be reused, each with the run that has withdrawn it."""
        return self._past.withdrawn()

    @cached_property
    def _past(self) -> Entries:
        return Entries(self.objects, self.pipeline)

    @cached_property
    def _entries(self) -> Iterable[Entry]:
        return self._past.newest(RUNS)

    @cached_property
    def _by_key(self) -> Mapping[str, Entry]:
        return newest_by_key(self._entries)

    @cached_property
    def _every(self) -> Mapping[StageName, Sequence[Entry]]:
        found: dict[StageName, list[Entry]] = defaultdict(list)
        for entry in sorted(self._entries, key=lambda entry: entry.finished, reverse=True):
            found[entry.stage].append(entry)
        return found

    def _is_there(self, entry: Entry) -> bool:
        return all(digest in self.contents for digest in _stored(entry))


def is_young(entry: Entry, max_age: float | None) -> bool:
    """Whether the stage passed at most `max_age` seconds ago; None for any age."""
    return max_age is None or datetime.now(UTC) - datetime.fromisoformat(entry.finished) <= timedelta(seconds=max_age)


def latest(source: Source, stage: StageName) -> Entry | None:
    """The stage as it passed last, whatever it was made from.

    Raises:
        StorageError: the place cannot be read.
    """
    return next(iter(source.every(stage)), None)


def _stored(entry: Entry) -> Iterator[str]:
    """The digests of what has to be stored of the stage. Nobody stores an empty output."""
    if entry.output_size:
        yield entry.output_digest
    if entry.volume_digest is not None:
        yield entry.volume_digest


@dataclass(frozen=True)
class RecordSource:
    """The stages that passed in one recorded run.

    Attributes:
        entries: what is known of each of them.
        as_it_was: the stages that are taken whatever they would be made from now.
    """

    entries: Mapping[StageName, Entry]
    as_it_was: Collection[StageName] = ()

    def serves(self, stage: Stage) -> bool:
        """See `Source`."""
        return stage.name in self.entries

    def find(self, stage: Stage, key: str) -> Entry | None:
        """See `Source`."""
        entry = self.entries.get(stage.name)
        return entry if entry is not None and entry.ingredients.key == key else None

    def audits(self, stage: StageName) -> bool:  # noqa: ARG002  as in `Source`
        """See `Source`. Whoever resumes a run does not want that to be run again which passed there."""
        return False

    def withdrawn(self, key: str) -> None:
        """See `Source`."""

    def taken(self, stage: StageName) -> Entry | None:
        """See `Source`."""
        return self.entries.get(stage) if stage in self.as_it_was else None

    def every(self, stage: StageName) -> Sequence[Entry]:
        """See `Source`."""
        entry = self.entries.get(stage)
        return () if entry is None else (entry,)
