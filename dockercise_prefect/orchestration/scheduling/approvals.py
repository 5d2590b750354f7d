"""Stages that somebody has to approve: who waits, and what was answered. No threads, no Prefect (docs/adr/0060)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dockercise_prefect.orchestration.scheduling.decisions import StageEnd
from dockercise_prefect.pipeline import Approval, Stage, StageName
from dockercise_prefect.results.summary import ApprovalSummary
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody is asked.

    Attributes:
        name: the stage that waits for the answer; for the instances of a stage, the stage.
        text: what to agree to.
        due: when nobody can answer any more; None for no limit.
    """

    name: StageName
    text: str
    due: datetime | None


class Asking(Protocol):
    """Asks people. The answers come to `Scheduler.answered`."""

    def ask(self, questions: Sequence[Question]) -> None:
        """Ask all questions at once. Returns immediately."""
        ...

    def withdraw(self) -> None:
        """Nobody needs the answers any more."""
        ...


def end_without(approval: ApprovalSummary) -> StageEnd | None:
    """How a stage ends that does not start after this answer; None if it may start."""
    match approval.answer:
        case "yes":
            return None
        case "no":
            return StageEnd(StageStatus.SKIPPED, is_refused=True)
        case "none":
            return StageEnd(StageStatus.TIMED_OUT)


class AsksNobody:
    """For runs in which no stage has to be approved (`Asking`)."""

    def ask(self, questions: Sequence[Question]) -> None:
        """See `Asking`."""
        raise AssertionError(f"nobody can be asked about {', '.join(question.name for question in questions)}")

    def withdraw(self) -> None:
        """See `Asking`."""


class Approvals:
    """The stages of one run that wait for somebody. All instances of a stage share one question. Not thread-safe.

    Args:
        asking: asks people.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._held: list[Stage] = []
        self._answers: dict[StageName, ApprovalSummary] = {}
        self._due: dict[StageName, datetime | None] = {}
        self._since: float | None = None

    @property
    def are_awaited(self) -> bool:
        """Whether a stage waits for somebody."""
        return bool(self._held)

    @property
    def is_asking(self) -> bool:
        """Whether somebody is being asked now."""
        return self._since is not None

    def answer_for(self, stage: Stage) -> ApprovalSummary | None:
        """What was answered about the stage, or about another instance of it. None if nothing was: then it waits."""
        answer = self._answers.get(stage.written_name)
        if answer is None:
            self._held.append(stage)
        return answer

    def ask(self) -> None:
        """Ask about all stages that wait, unless that is being done. Nothing else can go on."""
        if not self._held or self.is_asking:
            return
        self._since = time.monotonic()
        self._asking.ask([*{stage.written_name: self._question(stage) for stage in self._held}.values()])

    def _question(self, stage: Stage) -> Question:
        approve = stage.approve or Approval("")
        due = None if approve.timeout is None else datetime.now(UTC) + timedelta(seconds=approve.timeout)
        return Question(stage.written_name, approve.text, self._due.setdefault(stage.written_name, due))

    def answered(self, answers: Mapping[StageName, ApprovalSummary]) -> Sequence[tuple[Stage, ApprovalSummary]]:
        """Take answers. Stages without an answer are asked about again.

        Returns:
            The stages that were answered, each with its answer.
        """
        self._answers.update(answers)
        held, self._held = self._held, []
        return [(stage, answer) for stage in held if (answer := self.answer_for(stage)) is not None]

    def asked_for(self) -> float:
        """Nobody is being asked any more. Return for how many seconds somebody was."""
        since, self._since = self._since, None
        return 0.0 if since is None else time.monotonic() - since

    def refuse(self, may_not_start: Callable[[Stage], bool]) -> Sequence[Stage]:
        """Return the stages that must not start any more, and do not ask about them."""
        refused = [stage for stage in self._held if may_not_start(stage)]
        self._held = [stage for stage in self._held if stage not in refused]
        if refused and self.is_asking:
            self._asking.withdraw()
            self.asked_for()
        return refused
