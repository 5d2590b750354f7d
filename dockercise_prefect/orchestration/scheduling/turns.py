"""Stages that run only when it is their turn among all runs (`concurrency`). No threads, no Prefect (docs/adr/0060)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dockercise_prefect.pipeline import Stage, StageName


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stage that waits for a slot: `start` is called when it gets one, `refuse` if it never gets one."""

    stage: Stage
    start: Callable[[], None]
    refuse: Callable[[], None]


class TurnTaking(Protocol):
    """Knows whose turn it is, over all runs. The turns come to `Scheduler.has_turn`. Every method returns immediately."""

    def want(self, stage: Stage) -> None:
        """The stage wants its turn."""
        ...

    def end(self, stage: Stage) -> None:
        """The turn of the stage is over, or it does not want one any more."""
        ...


class NoTurns:
    """For runs in which no stage has a group (`TurnTaking`)."""

    def want(self, stage: Stage) -> None:
        """See `TurnTaking`."""
        raise AssertionError(f"nobody knows whose turn it is: {stage.name}")

    def end(self, stage: Stage) -> None:
        """See `TurnTaking`."""


class Turns:
    """The stages of one run that wait for their turn, and those that have it. Not thread-safe.

    Args:
        taking: knows whose turn it is.
    """

    def __init__(self, taking: TurnTaking) -> None:
        self._taking = taking
        self._waiting: dict[StageName, Waiting] = {}
        self._has_turn: set[StageName] = set()

    @property
    def are_awaited(self) -> bool:
        """Whether a stage waits for its turn."""
        return bool(self._waiting)

    def wait(self, waiting: Waiting) -> bool:
        """Return whether the stage may take a slot now: it has no group, or it is its turn. Otherwise, it waits."""
        stage = waiting.stage
        if stage.concurrency is None or stage.is_group or stage.name in self._has_turn:
            return True
        self._waiting[stage.name] = waiting
        self._taking.want(stage)
        return False

    def come(self, stage: Stage) -> Waiting | None:
        """It is the turn of a stage. Return it, unless it does not wait any more."""
        waiting = self._waiting.pop(stage.name, None)
        if waiting is not None:
            self._has_turn.add(stage.name)
        return waiting

    def end(self, stage: Stage) -> None:
        """The stage has ended, or waits for its next attempt."""
        if stage.name in self._has_turn:
            self._has_turn.discard(stage.name)
            self._taking.end(stage)

    def refuse(self, may_not_start: Callable[[Stage], bool]) -> None:
        """Refuse the stages that must not start any more."""
        for one in [one for one in self._waiting.values() if may_not_start(one.stage)]:
            del self._waiting[one.stage.name]
            self._taking.end(one.stage)
            one.refuse()
