"""The events of a run, as values. Everything that shows a run is based on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.results.summary import RunSummary, StageSummary


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The flow run exists, but nothing has been checked yet. `pipeline` contains the stages that will run."""

    run_id: str
    pipeline: Pipeline
    jobs: int
    flow_run_url: str | None


@dataclass(frozen=True, slots=True)
class EngineFound:
    """The engine answered."""

    version: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A line for the user about the whole run: an image is pulled, leftovers were removed, the run is being cancelled."""

    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the run waits for from now on, until the next event or its end: `Prefect to start`."""

    what: str


@dataclass(frozen=True, slots=True)
class StageStarted:
    """The stage's task run began."""

    stage: StageName


@dataclass(frozen=True, slots=True)
class StageOutput:
    """One line that a stage printed, without its end of line. Never sent for a stage with `noLog`."""

    stage: StageName
    channel: Literal["stdout", "stderr"]
    line: str


@dataclass(frozen=True, slots=True)
class StageEnded:
    """The stage ended, or will never start."""

    stage: StageName
    summary: StageSummary


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over and its results are written.

    Attributes:
        cause: the error outside the stages that ended the run; None if there was no such error.
    """

    summary: RunSummary
    cause: DockerciseError | None = None


Event: TypeAlias = RunStarted | EngineFound | Notice | Waiting | StageStarted | StageOutput | StageEnded | RunEnded

Observer: TypeAlias = Callable[[Event], None]
"""A function that is called with each event, from several threads. It must not block and must not raise."""
