"""What a stage waits for besides other stages: somebody who approves it, and its turn (LANGUAGE-2 section 9)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody must agree before the stage runs.

    Attributes:
        text: the question.
        timeout: seconds after which the stage has failed because nobody answered; None for no limit.
    """

    text: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class StageConcurrency:
    """How many stages of a group run at once, over all runs and machines.

    Attributes:
        group: the name of the group.
        limit: how many stages.
    """

    group: str
    limit: int = 1
