"""The stages of a run that wait for a slot (`--jobs`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dockercise_prefect.orchestration.scheduling.turns import Turns, TurnTaking, Waiting
from dockercise_prefect.pipeline import Stage


class Slots:
    """Starts stages in the order in which they came, as soon as there are slots. Not thread-safe.

    Args:
        jobs: how many stages have a slot at the same time, at most.
        taking: knows whose turn it is. A stage that waits for its turn needs no slot.
    """

    def __init__(self, jobs: int, taking: TurnTaking) -> None:
        self._jobs = jobs
        self._turns = Turns(taking)
        self._waiting: deque[Waiting] = deque()

    @property
    def are_awaited(self) -> bool:
        """Whether a stage waits for its turn, or for a slot."""
        return bool(self._waiting) or self._turns.are_awaited

    def wait(self, waiting: Waiting) -> None:
        """The stage starts when it is its turn and there is a slot for it."""
        if self._turns.wait(waiting):
            self._waiting.append(waiting)

    def has_turn(self, stage: Stage) -> None:
        """It is the turn of a stage. It goes before those that need no turn, because others may wait for it."""
        if (waiting := self._turns.come(stage)) is not None:
            self._waiting.appendleft(waiting)

    def end_turn(self, stage: Stage) -> None:
        """The stage has ended, will never start, or waits for its next attempt."""
        self._turns.end(stage)

    def fill(self, occupied: Callable[[], int]) -> None:
        """Start stages while there are slots; `occupied` counts those that are not free."""
        while self._waiting and occupied() < self._jobs:
            self._waiting.popleft().start()

    def refuse(self, may_not_start: Callable[[Stage], bool]) -> None:
        """Refuse the stages that must not start any more."""
        self._turns.refuse(may_not_start)
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if may_not_start(one.stage):
                one.refuse()
            else:
                self.wait(one)
