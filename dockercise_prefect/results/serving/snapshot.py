"""The record of one run in a bucket at one moment. What has not changed since an earlier moment is not read again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.forwarding import Forwarding
from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.run_view import READERS
from dockercise_prefect.results.record.file_names import entry_file, packed_log, plain_log, replaced_by, tests_file, volume_file
from dockercise_prefect.results.report.excerpt import Excerpt, excerpt, excerpt_of_ends
from dockercise_prefect.results.report.source import parsed_entry
from dockercise_prefect.results.serving.memory import Memory
from dockercise_prefect.results.tests.stage_tests import StageTests

Made = TypeVar("Made")

LARGEST_OBJECT = 1024 * 1024
"""Bytes of the largest JSON that is remembered."""

LARGEST_PACKED = 1024 * 1024
"""Bytes of the largest compressed log that is read for a page: its end cannot be read without its beginning."""


class Snapshot(Forwarding):
    """`Objects` with the record of one run, and the `Source` of its page.

    Args:
        objects: the place of all records.
        pipeline: the pipeline of the run.
        run_id: the run. Its record need not exist.
        memory: what earlier snapshots have read.

    Raises:
        StorageError: the place cannot be listed.
    """

    def __init__(self, objects: Objects, pipeline: str, run_id: str, memory: Memory[Any]) -> None:
        super().__init__(objects)
        self.run = RecordedRun(self, pipeline, run_id)
        self._memory = memory
        self._stored = objects.stored(self.run.path)

    @property
    def names(self) -> Collection[str]:
        """See `Source`. A long log is also there without its compression."""
        return self._stored.keys() | {plain for name in self._stored if (plain := replaced_by(name))}

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """See `Objects`."""
        name = path.removeprefix(f"{self.run.path}/")
        if name not in self._stored:
            raise NotStoredError(f"there is no {self.url}/{path}")
        if name.endswith(".json") and self._stored[name].size <= LARGEST_OBJECT:
            yield self._remembered(name, "content", lambda: b"".join(self._objects.chunks(path)))[start:]
        else:
            yield from self._objects.chunks(path, start)

    def entry(self, stage: StageName) -> Mapping[str, object]:
        """See `Source`."""
        with suppress(StorageError):
            return parsed_entry(read(self, f"{self.run.path}/{entry_file(stage)}"))
        return {}

    def log(self, stage: StageName, budget: int) -> Excerpt | None:
        """See `Source`."""
        plain, packed = plain_log(stage), packed_log(stage)
        name = packed if packed in self._stored else plain
        stored = self._stored.get(name)
        if stored is None or (name == packed and stored.size > LARGEST_PACKED):
            return None
        key = self._key(name, budget)
        found = self._memory.find(key)
        if found is not None:
            return cast("Excerpt", found[0])
        if name == packed:
            made = excerpt(self.run.log(stage), budget)
        else:
            made = excerpt_of_ends(partial(self.chunks, f"{self.run.path}/{plain}"), stored.size, budget)
        if made is not None:  # otherwise it is empty, or the bucket did not answer
            self._memory.keep(key, (made,))
        return made

    def tests(self, stage: StageName) -> StageTests | None:
        """See `Source`."""
        with suppress(StorageError):
            return self.run.tests(stage) if tests_file(stage) in self._stored else None
        return None

    def base(self, stage: StageName) -> StageName | None:
        """See `Source`."""
        volume = volume_file(stage)
        if volume not in self._stored:
            return None
        with suppress(StorageError):
            return self._remembered(volume, "base", lambda: self.run.volume_base(stage))
        return None

    def prepare(self, stages: Sequence[StageName], budget: int) -> None:
        """Read what a page shows of these stages, many of them at the same time: a bucket needs some time for each object."""

        def of_stage(stage: StageName) -> None:
            self.entry(stage)
            self.log(stage, budget)
            self.tests(stage)
            self.base(stage)

        with ThreadPoolExecutor(READERS) as readers:
            list(readers.map(of_stage, stages))

    def _remembered(self, name: str, what: object, make: Callable[[], Made]) -> Made:
        """What was made of an object, unless the object is another one by now."""
        key = self._key(name, what)
        value: Made = (self._memory.find(key) or self._memory.keep(key, (make(),)))[0]
        return value

    def _key(self, name: str, what: object) -> Hashable:
        stored = self._stored[name]
        return self.run.path, name, what, stored.size, stored.tag or stored.written


def weight(made: tuple[Any]) -> int:
    """About how many bytes something takes that a snapshot remembers."""
    (value,) = made
    match value:
        case bytes():
            return 1000 + len(value)
        case Excerpt(head, _, tail):
            return 1000 + 4 * (len(head) + len(tail))
        case _:
            return 1000
