"""The entries of a pipeline in the place of its results: one object for each run that made some."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, partial
from io import BytesIO
from typing import Any, TypeVar

from zstandard import ZstdCompressor

from dockercise_prefect.results.cache.entry import Entry, entries_to_json, further_entries
from dockercise_prefect.results.cache.paths import entries_folder, entries_path, run_of, withdrawal_path, withdrawn_at
from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.record.compression import LEVEL, decompressed

Parsed = TypeVar("Parsed")

AT_ONCE = 8
"""How many objects are read at once."""


class Entries:
    """The entries of one pipeline. The place is listed once, when it is first read.

    Args:
        objects: the place of the results.
        pipeline: the name of the pipeline.
    """

    def __init__(self, objects: Objects, pipeline: str) -> None:
        self._objects = objects
        self._pipeline = pipeline

    def add(self, run_id: str, entries: Iterable[Entry]) -> None:
        """Store the entries of a run. Other runs, also on other machines, may do so at the same time.

        Raises:
            StorageError: they cannot be stored.
        """
        text = json.dumps(entries_to_json(entries), separators=(",", ":"))
        packed = ZstdCompressor(level=LEVEL, write_checksum=True).compress(text.encode())
        self._objects.put(entries_path(self._pipeline, run_id), BytesIO(packed))

    def newest(self, count: int) -> list[Entry]:
        """The entries of the newest runs that made some, in no order. Objects that cannot be understood are left out.

        Each run that makes some stores those that it has reused too. Each is returned once.

        Args:
            count: of how many runs.

        Raises:
            StorageError: the place cannot be read.
        """
        newest = sorted(path for path in self._paths if run_of(path) is not None)[-count:]
        known: set[Hashable] = set()
        found: list[list[Entry]] = []
        with ThreadPoolExecutor(AT_ONCE) as readers:
            for data in readers.map(partial(parsed_at, self._objects, parse=_unchanged), reversed(newest)):
                with suppress(ValueError):
                    found.append(further_entries(data, known))
        return [entry for entries in reversed(found) for entry in entries]

    def withdraw(self, key: str, run_id: str) -> None:
        """Say that nothing with this key may be reused any more, whatever other runs have stored or will store.

        Args:
            key: of the ingredients.
            run_id: the run that says so.

        Raises:
            StorageError: it cannot be stored.
        """
        self._objects.put(withdrawal_path(self._pipeline, key, run_id), BytesIO())

    def withdrawn(self) -> Mapping[str, str]:
        """The keys that were withdrawn, each with the run that has done so.

        Raises:
            StorageError: the place cannot be read.
        """
        return dict(found for path in sorted(self._paths) if (found := withdrawn_at(path)) is not None)

    @cached_property
    def _paths(self) -> Sequence[str]:
        folder = entries_folder(self._pipeline)
        return [f"{folder}/{name}" for name in self._objects.sizes(folder)]


def _unchanged(data: Any) -> Any:
    return data


def parsed_at(objects: Objects, path: str, parse: Callable[[Any], Parsed]) -> Parsed | None:
    """The entries of one run. None if the object was removed or is damaged, or if `parse` cannot understand it.

    Args:
        objects: the place of the results.
        path: of the object.
        parse: turns the JSON values into something, or raises `ValueError`.

    Raises:
        StorageError: the place cannot be read.
    """
    with suppress(NotStoredError, ValueError, RecursionError):
        return parse(json.loads(b"".join(decompressed([read(objects, path)]))))
    return None
