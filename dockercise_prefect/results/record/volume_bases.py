"""Which archive of a run leaves out what another one has (docs/adr/0026)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeAlias

from dockercise_prefect.archives.path_map import PathMap
from dockercise_prefect.pipeline import CODE, StageName
from dockercise_prefect.results.record.difference import Base

_End: TypeAlias = "Future[Base | None]"


class VolumeBases:
    """Knows the base of each archive of one run. Thread-safe.

    The base of a stage that works `on` another is the archive of that one. Of all stages on the code, the first whose archive
    is begun is kept whole, and is the base of the others. Where the base is not kept, another one takes its place, or there is
    none.

    An archive is waited for until it is there or given up. So nobody waits for ever: what a stage works on has ended before the
    stage begins, and what is the first on the code is being written and waits for nobody.

    Args:
        origins: for each stage whose volume may be kept, what it works `on`: a stage, `CODE`, or None.
    """

    def __init__(self, origins: Mapping[StageName, StageName | None]) -> None:
        self._origins = origins
        self._ends: dict[StageName, _End] = {name: Future() for name in origins.values() if name and name in origins}
        self._shares_code = list(origins.values()).count(CODE) > 1
        self._first_on_code: _End | None = None
        self._lock = threading.Lock()
        self._kept: list[Base] = []

    @contextmanager
    def keeping(self, stage: StageName) -> Iterator[tuple[Base | None, PathMap | None]]:
        """The archive of the stage is written inside, and kept when that ends well.

        Returns:
            Its base, which may have to be waited for, None without one; and what gets all its paths, None if nobody needs them.
        """
        told = [self._ends[stage]] if stage in self._ends else []
        manifest: PathMap | None = None
        kept: Base | None = None
        try:
            base = self._base(stage, told)
            manifest = PathMap() if base or told else None
            yield base, manifest
            kept = Base(stage, manifest) if manifest and told else None
        finally:
            if manifest is not None and kept is None:
                manifest.close()
            with self._lock:
                self._kept += [kept] if kept else []
            for end in told:
                end.set_result(kept)

    def leave_out(self, stage: StageName) -> None:
        """There will be no archive of the stage."""
        if stage in self._ends:
            self._ends[stage].set_result(None)

    def close(self) -> None:
        """No archive is written any more."""
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
        """The first archive on the code; None where that is now the caller's, who will be waited for."""
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
