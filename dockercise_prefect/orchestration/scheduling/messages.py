"""The messages in the inbox of a scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dockercise_prefect.orchestration.scheduling.pause import Pause
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.runtime.stage.job import JobResult


@dataclass(frozen=True, slots=True)
class Ended:
    """A task run is over."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Paused:
    """A stage waits for its next attempt, and needs no slot meanwhile."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class Rested:
    """A stage has waited long enough, and needs a slot for its next attempt."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class VolumeRead:
    """The content of the volume of a stage is known, or will not be known."""

    result: JobResult


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run was asked to end. `by` says by what or by whom."""

    by: str


Message: TypeAlias = Ended | Paused | Rested | VolumeRead | Interrupted
