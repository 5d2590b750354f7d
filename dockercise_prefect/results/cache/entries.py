"""The entries of a pipeline in the place of its results: one object for each run that made some."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO

from zstandard import ZstdCompressor

from dockercise_prefect.results.cache.entry import Entry, entries_from_json, entries_to_json
from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.record.compression import LEVEL, decompressed

CACHE = ".cache"
"""The folder of the place. No pipeline has such a name."""

_ENDING = ".json.zst"

AT_ONCE = 8
"""How many objects are read at once."""


class Entries:
    """The entries of one pipeline.

    Args:
        objects: the place of the results.
        pipeline: the name of the pipeline.
    """

    def __init__(self, objects: Objects, pipeline: str) -> None:
        self._objects = objects
        self._folder = f"{CACHE}/{pipeline}"

    def add(self, run_id: str, entries: Iterable[Entry]) -> None:
        """Store the entries of a run. Other runs, also on other machines, may do so at the same time.

        Raises:
            StorageError: they cannot be stored.
        """
        text = json.dumps(entries_to_json(entries), separators=(",", ":"))
        packed = ZstdCompressor(level=LEVEL, write_checksum=True).compress(text.encode())
        self._objects.put(f"{self._folder}/{run_id}{_ENDING}", BytesIO(packed))

    def newest(self, count: int) -> list[Entry]:
        """The entries of the newest runs that made some, in no order. Objects that cannot be understood are left out.

        Args:
            count: of how many runs.

        Raises:
            StorageError: the place cannot be read.
        """
        names = sorted(name for name in self._objects.sizes(self._folder) if name.endswith(_ENDING))[-count:]
        with ThreadPoolExecutor(AT_ONCE) as readers:
            return [entry for found in readers.map(self._read, names) for entry in found]

    def _read(self, name: str) -> list[Entry]:
        with suppress(NotStoredError, ValueError, RecursionError):  # removed meanwhile, damaged, or of another version
            return entries_from_json(json.loads(b"".join(decompressed([read(self._objects, f"{self._folder}/{name}")]))))
        return []
