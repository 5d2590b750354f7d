"""Decides which archive of a run leaves out the files of another archive (docs/adr/0026)."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeAlias

from dockercise_prefect.archives.path_map import PathMap
from dockercise_prefect.pipeline import CODE, StageName
from dockercise_prefect.results.record.difference import Base

_End: TypeAlias = "Future[Base | None]"


class VolumeBases:
    """Provides the base of each archive of one run. Thread-safe.

    If a stage works `on` another stage, its base is the archive of that stage. Of all stages on the code, the archive that is
    begun first is stored completely and is the base of the others. If the base is not stored, another archive replaces it, or
    there is no base.

    A stage waits for the archive of its base until it is stored or left out. This always ends: the stage that another stage
    works on has ended before that stage begins, or will never start, and then its archive is left out; and the first archive on
    the code is already being written and waits for nothing.

    Args:
        origins: for each stage whose volume may be stored, what it works `on`: a stage, `CODE`, or None.
        groups: the stages of `origins` that stand for several members (`each`).
    """

    def __init__(self, origins: Mapping[StageName, StageName | None], groups: Collection[StageName] = ()) -> None:
        self._origins = origins
        self._ends: dict[StageName, _End] = {name: Future() for name in origins.values() if name and name in origins}
        on_code = [name for name, origin in origins.items() if origin == CODE]
        self._shares_code = len(on_code) > 1 or any(name in groups for name in on_code)
        self._first_on_code: _End | None = None
        self._lock = threading.Lock()
        self._kept: list[Base] = []

    @contextmanager
    def keeping(self, stage: StageName, declared: StageName | None = None) -> Iterator[tuple[Base | None, PathMap | None]]:
        """Write the archive of the stage inside. It counts as stored if the body succeeds.

        Args:
            stage: the stage, or a member of a group.
            declared: the stage of `origins` that it belongs to; None for itself.

        Returns:
            Its base, or None if it has no base (this may have to wait); and the map to which all its paths must be added, or
            None if it is not needed.
        """
        told = [self._ends[stage]] if stage in self._ends else []
        manifest: PathMap | None = None
        kept: Base | None = None
        try:
            base = self._base(declared or stage, told)
            manifest = PathMap() if base or told else None
            yield base, manifest
            kept = Base(stage, manifest) if manifest and told else None
        finally:
            if manifest is not None and kept is None:
                manifest.close()
            with self._lock:
                self._kept += [kept] if kept else []
            for end in told:
                self._tell(end, kept)

    def leave_out(self, stage: StageName) -> None:
        """There will be no archive of the stage. If there is one already, nothing happens."""
        if stage in self._ends:
            self._tell(self._ends[stage], None)

    def _tell(self, end: _End, base: Base | None) -> None:
        """End the wait for an archive, unless it has been ended before: a stage may break when its archive is being written."""
        with self._lock:
            if not end.done():
                end.set_result(base)

    def close(self) -> None:
        """Release the bases. Called when no archive is written any more."""
        with self._lock:
            for base in self._kept:
                base.manifest.close()
            self._kept.clear()

    def _base(self, stage: StageName, told: list[_End]) -> Base | None:
        origin = self._origins.get(stage)
        if origin == CODE:
            return self._base_on_code(told) if self._shares_code else None
        return self._ends[origin].result() if origin in self._ends else None

    def _base_on_code(self, told: list[_End]) -> Base | None:
        """The first archive on the code; None if the caller's archive is now the first, and the others wait for it."""
        while True:
            with self._lock:
                first = self._first_on_code
                if first is None:
                    self._first_on_code = Future()
                    told.append(self._first_on_code)
                    return None
            if (base := first.result()) is not None:
                return base
            with self._lock:
                if self._first_on_code is first:
                    self._first_on_code = None
