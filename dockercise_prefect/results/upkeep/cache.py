"""Finds what stages with `cache` have left that is not wanted any more, and removes it (docs/adr/0040)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import PurePosixPath

from dockercise_prefect.quantities import shown_bytes
from dockercise_prefect.results.cache.entries import AT_ONCE, parsed_at
from dockercise_prefect.results.cache.eviction import evicted, seconds_of_objects
from dockercise_prefect.results.cache.paths import CACHE, digest_of, list_of, run_of, withdrawn_at
from dockercise_prefect.results.places.objects import Objects, Stored
from dockercise_prefect.results.reading.recorded_run import began
from dockercise_prefect.results.record.owner_mark import is_scrap
from dockercise_prefect.results.upkeep.retention import days_in_words

LONGEST_RUN = timedelta(days=1)
"""A run writes its entries when it ends. What no entry names stays this long, since a run that is going on may have left it.

This holds in a full place too: otherwise, nothing could be kept there, since what is new would always go first.
"""


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """What is kept of a cache.

    Attributes:
        days: the age of a run whose entries are kept, and for how long it is known that something was withdrawn.
        runs: of how many runs of a pipeline entries are kept. Nobody reads those of more.
        size: the bytes of all contents together.
    """

    days: int
    runs: int
    size: int


@dataclass(frozen=True, slots=True)
class UnwantedObjects:
    """Objects of a cache that are not wanted any more, all for the same reason.

    Attributes:
        objects: the place.
        name: what they are, in words.
        why: the reason, in words.
        paths: where they are in the place.
        size: the bytes of all of them.
    """

    objects: Objects
    name: str
    why: str
    paths: Sequence[str]
    size: int

    def remove(self) -> None:
        """Remove them. It does not matter if others have removed them already.

        Raises:
            StorageError: an object cannot be removed.
        """
        with ThreadPoolExecutor(AT_ONCE) as removers:
            list(removers.map(self.objects.remove, self.paths))


def unwanted_in_cache(objects: Objects, limits: CacheLimits, now: datetime) -> Iterator[UnwantedObjects]:
    """What is not wanted any more: first entries, then contents without an entry, then contents that are too much.

    A run that is going on may still want some of it. Then it reads the record of the run that left it.

    Args:
        objects: the place of the results.
        limits: what is kept.
        now: the time.

    Raises:
        StorageError: the place cannot be read. Then nothing is known about its contents.
    """
    found = {f"{CACHE}/{path}": one for path, one in objects.stored(CACHE).items()}
    runs = {path: run_id for path in found if (run_id := run_of(path)) is not None}
    old = [path for path, run_id in runs.items() if _is_older(run_id, timedelta(days=limits.days), now)]
    withdrawn = [
        path for path in found if withdrawn_at(path) is not None and now - found[path].written > timedelta(days=limits.days)
    ]
    unread = list(_all_but_the_newest(runs.keys() - old, limits.runs))
    seconds = _seconds(objects, runs.keys() - {*old, *unread})
    contents = [path for path in found if digest_of(path) is not None or list_of(path) is not None]
    scraps = [path for path in found if is_scrap(PurePosixPath(path))]
    unnamed = [path for path in contents if path not in seconds]
    lost = [path for path in [*unnamed, *scraps] if now - found[path].written > LONGEST_RUN]
    fresh = set(unnamed) - set(lost)
    sizes = {path: found[path].size for path in set(contents) - set(unnamed)}
    too_many = list(evicted(sizes, seconds, limits.size - _size(found, fresh)))
    too_old = f"older than {days_in_words(limits.days)} (cache_days)"
    for name, why, paths in (
        (f"what the cache knows of {_counted(old, 'run')}", too_old, old),
        (f"what the cache knows of {_counted(unread, 'run')}", f"no run reads it: there are {limits.runs} newer ones", unread),
        (f"what was withdrawn of {_counted(withdrawn, 'stage')}", too_old, withdrawn),
        (f"{_counted(lost, 'content')} of the cache", "no run in the cache refers to it any more", lost),
        (
            f"{_counted(too_many, 'content')} of the cache",
            f"cheapest to make again, and the cache is larger than {shown_bytes(limits.size)} (cache_size)",
            too_many,
        ),
    ):
        if paths:
            yield UnwantedObjects(objects, name, why, paths, _size(found, paths))


def _is_older(run_id: str, age: timedelta, now: datetime) -> bool:
    """Whether the run began before that. Others than runs are never older."""
    with suppress(ValueError):
        return now - began(run_id) > age
    return False


def _all_but_the_newest(paths: Iterable[str], count: int) -> Iterator[str]:
    """In each folder, all paths but the last ones. The names of runs are sorted by the times at which they began."""
    for _, of_pipeline in groupby(sorted(paths), lambda path: path.rpartition("/")[0]):
        yield from list(of_pipeline)[:-count]


def _seconds(objects: Objects, paths: Collection[str]) -> Mapping[str, float]:
    """What it costs to make each object again that an entry at one of these paths names, by its path."""
    found: dict[str, float] = {}
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for of_run in readers.map(partial(parsed_at, objects, parse=seconds_of_objects), paths):
            for path, seconds in (of_run or {}).items():
                found[path] = max(seconds, found.get(path, seconds))
    return found


def _counted(paths: Sequence[str], noun: str) -> str:
    return f"{len(paths)} {noun}{'' if len(paths) == 1 else 's'}"


def _size(found: Mapping[str, Stored], paths: Iterable[str]) -> int:
    return sum(found[path].size for path in paths)
