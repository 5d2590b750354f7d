"""The messages in the inbox of a scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dockercise_prefect.orchestration.scheduling.pause import Pause
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.summary import ApprovalSummary
from dockercise_prefect.runtime.stage.job import JobResult


@dataclass(frozen=True, slots=True)
class Ended:
    """A task run is over."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Paused:
    """A stage waits so many seconds for its next attempt, and needs no slot meanwhile."""

    pause: Pause
    seconds: float


@dataclass(frozen=True, slots=True)
class Rested:
    """A stage has waited long enough, and needs a slot for its next attempt."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class HasTurn:
    """It is the turn of a stage."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class VolumeRead:
    """The content of the volume of a stage is known, or will not be known."""

    result: JobResult


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody has answered, about the stages that have an answer here."""

    answers: Mapping[StageName, ApprovalSummary]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run was asked to end. `by` says by what or by whom."""

    by: str


Message: TypeAlias = Ended | Paused | Rested | HasTurn | VolumeRead | Answered | Interrupted
