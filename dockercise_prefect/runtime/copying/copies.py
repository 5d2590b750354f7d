"""Copies of volumes for the stages of one run that have `on`: by overlays, where the engine can."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import ConfigDict

from dockercise_prefect.archives.tarball import members
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.runtime.concurrent import Once
from dockercise_prefect.runtime.copying.changes import empty_changes
from dockercise_prefect.runtime.copying.trial import trouble_with_overlays
from dockercise_prefect.runtime.copying.trials import Trial, Trials
from dockercise_prefect.runtime.engine import ContainerMount, Engine
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.overlay import Root

_FOLDER: Final = "/origin"


@dataclass(frozen=True, slots=True)
class OverlayPlan:
    """What an attempt needs to copy a volume by an overlay.

    Attributes:
        changes: the volume for what is changed in the copy.
        root: the root of the volume that is copied.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    changes: str
    root: Root


class Copies:
    """Prepares copies by overlays. Thread-safe.

    A copy needs a volume for its changes, and the mode and owner of the root that is copied. Both take tens of milliseconds, so
    they can be prepared in the background.

    Args:
        engine: where the volumes are.
        volumes: of the run.
        trials: what is known of engines.
        later: runs a task in the background.
        image: returns the id of any image on the engine.
    """

    def __init__(
        self,
        engine: Engine,
        volumes: Volumes,
        trials: Trials,
        later: Callable[[Callable[[], object]], None],
        image: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._volumes = volumes
        self._trials = trials
        self._later = later
        self._image = image
        self._possible: Once[None, bool] = Once()
        self._changes: Once[tuple[StageName, int], str] = Once()
        self._taken: Counter[StageName] = Counter()
        self._lock = threading.Lock()
        self._roots: Once[str, Root] = Once()

    def expect(self, stage: StageName) -> None:
        """Prepare what the first attempt at a stage needs, except the volume that is copied. Returns immediately."""
        self._later(lambda: self._can() and self._changes_of(stage, 0))

    def look_at(self, origin: str) -> None:
        """Prepare copies of a volume that is not written any more. Returns immediately."""
        self._later(lambda: self._can() and self._root_of(origin))

    def plan(self, stage: StageName, origin: str) -> OverlayPlan | None:
        """How the next attempt at a stage copies a volume; None if all bytes have to be copied.

        Args:
            stage: the stage.
            origin: the volume. It was not copied by an overlay itself, and nothing writes to it any more.
        """
        with suppress(EngineError):
            if self._can():
                return OverlayPlan(self._changes_of(stage, self._next(stage)), self._root_of(origin))
        return None

    def failed(self) -> None:
        """Something went wrong with a copy by an overlay: let the next run try again whether the engine can."""
        with suppress(EngineError):
            self._trials.forget(self._engine.info().overlays.engine)

    def _can(self) -> bool:
        return self._possible.get(None, self._tried)

    def _tried(self) -> bool:
        facts = self._engine.info().overlays
        if facts.refusal is not None:
            return False
        known = self._trials.of(facts.engine)
        if known is not None and known.trouble is None:
            return True
        trouble = trouble_with_overlays(self._engine, self._volumes, self._image())
        self._trials.note(facts.engine, Trial(trouble))
        return trouble is None

    def _next(self, stage: StageName) -> int:
        """How many copies were planned for the stage before this one. No two copies use the same volume for their changes."""
        with self._lock:
            self._taken[stage] += 1
            return self._taken[stage] - 1

    def _changes_of(self, stage: StageName, number: int) -> str:
        return self._changes.get((stage, number), lambda: empty_changes(self._volumes, self._image()))

    def _root_of(self, origin: str) -> Root:
        return self._roots.get(origin, lambda: self._read_root(origin))

    def _read_root(self, origin: str) -> Root:
        with (
            self._volumes.reader(self._image(), ContainerMount("volume", origin, _FOLDER, read_only=True)) as container,
            closing(self._engine.get(container, _FOLDER)) as archive,
        ):
            member, _ = next(members(archive))
        return Root(member.mode & 0o7777, member.uid, member.gid)
