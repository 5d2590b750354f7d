"""Whether a stage starts, given how the stages ended that it depends on: the truth table of docs/outcomes.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dockercise_prefect.pipeline import DependencyKind, RunsOn, Stage, StageName
from dockercise_prefect.pipeline.conditions import passes_on_a_skip
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class StageEnd:
    """How a stage ended, as far as the stages after it are concerned.

    Attributes:
        exit_code: None if there was no container, or if its exit code is not known.
        because: for a stage that never started: the stage that failed before it. None if nothing had failed, or if the run was
            stopped.
        is_refused: for a skipped stage: whether somebody has refused it, or a stage that it comes after.
    """

    status: StageStatus
    exit_code: int | None = None
    because: StageName | None = None
    is_refused: bool = False

    @property
    def has_started(self) -> bool:
        """Whether anything was done for the stage."""
        return self.status not in {StageStatus.SKIPPED, StageStatus.NOT_STARTED}

    @property
    def answer(self) -> bool | None:
        """The answer of a stage to `if` and `unless`; None if it gave no answer."""
        if self.status in {StageStatus.PASSED, StageStatus.CACHED}:
            return True
        return False if self.status is StageStatus.TOLERATED else None


@dataclass(frozen=True, slots=True)
class Ready:
    """The stage can start."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Skipped:
    """The stage will never start, and that is no failure.

    Attributes:
        because: the stage that is the reason; None if the reason is another one.
        is_refused: whether the reason is that somebody has refused a stage.
    """

    stage: Stage
    why: str
    because: StageName | None = None
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """The stage will never start. `because` is the stage that failed, not one that was blocked itself; None after a stop."""

    stage: Stage
    because: StageName | None


@dataclass(frozen=True, slots=True)
class GroupOver:
    """All members of the group have ended, or will never start (`groups`)."""

    stage: Stage


Decision: TypeAlias = Ready | Skipped | Blocked | GroupOver


@dataclass(frozen=True, slots=True)
class Before:
    """Everything that a stage comes after, directly or not.

    Attributes:
        failed: whether anything of it did not succeed.
        started: whether anything of it was started.
        anything: whether there is anything.
    """

    failed: bool
    started: bool
    anything: bool = True


def decide(stage: Stage, ends: Mapping[StageName, StageEnd], before: Before) -> Decision:
    """Decide about a stage when all stages that it needs have ended or will never start.

    Args:
        stage: the stage.
        ends: how each stage ended that it needs.
        before: about everything that it comes after.
    """
    refused = _refused(stage, ends)
    if refused is not None:
        return refused
    if stage.when.cleans_up:
        if stage.when.status is RunsOn.FAILURE and not before.failed:
            return Skipped(stage, "nothing failed that it comes after")
        if before.anything and not before.started:
            return Skipped(stage, "nothing had started that it comes after")
    return Ready(stage)


def _refused(stage: Stage, ends: Mapping[StageName, StageEnd]) -> Decision | None:
    """Why a stage that it needs keeps it from starting. A failure comes before an answer."""
    skipped: Decision | None = None
    for edge in stage.depends_on:
        end = ends[edge.stage]
        if end.status is StageStatus.SKIPPED:
            if end.because is not None and not stage.when.cleans_up:
                return Blocked(stage, end.because)
            if end.is_refused and not stage.when.cleans_up:
                why = f"it {edge.kind.phrase} {edge.stage}, which was refused"
                skipped = skipped or Skipped(stage, why, edge.stage, is_refused=True)
            elif passes_on_a_skip(stage, edge.kind):
                skipped = skipped or Skipped(stage, f"it {edge.kind.phrase} {edge.stage}, which is skipped", edge.stage)
        elif not end.status.succeeded:
            if not stage.when.cleans_up or edge.kind is DependencyKind.IMG or edge.kind.asks:
                return Blocked(stage, end.because or edge.stage)
        elif edge.kind.asks and end.answer is not (edge.kind is DependencyKind.IF):
            skipped = skipped or Skipped(stage, f"{edge.stage} said {'yes' if end.answer else 'no'}", edge.stage)
    return skipped
