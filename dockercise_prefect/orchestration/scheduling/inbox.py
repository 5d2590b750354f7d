"""What a scheduler is told, from any thread."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue

from dockercise_prefect.orchestration.scheduling.messages import (
    Answered,
    HasTurn,
    Interrupted,
    Message,
    Paused,
    Rested,
    VolumeRead,
)
from dockercise_prefect.orchestration.scheduling.pause import Pause
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.summary import ApprovalSummary
from dockercise_prefect.runtime.stage.job import JobResult

LONGEST_SLEEP = 0.25
"""The maximum number of seconds until a signal or a time limit is noticed."""


class Inbox:
    """The messages to a scheduler, in the order in which they came. Thread-safe."""

    def __init__(self) -> None:
        self._messages: SimpleQueue[Message] = SimpleQueue()

    def tell(self, message: Message) -> None:
        """Leave a message."""
        self._messages.put(message)

    def interrupt(self, by: str) -> None:
        """Ask the run to end; again to end it immediately. `by` says by what it is interrupted."""
        self.tell(Interrupted(by))

    def volume_read(self, result: JobResult) -> None:
        """Say that the content of a stage's volume is known, or will not be known."""
        self.tell(VolumeRead(result))

    def has_turn(self, stage: Stage) -> None:
        """Say that it is the turn of a stage."""
        self.tell(HasTurn(stage))

    def answered(self, answers: Mapping[StageName, ApprovalSummary]) -> None:
        """Say what was answered to the questions about stages."""
        self.tell(Answered(answers))

    def pause(self, stage: Stage, seconds: float) -> bool:
        """See `ports.Pausing`."""
        pause = Pause(stage)
        self.tell(Paused(pause, seconds))
        pause.rest(seconds)
        self.tell(Rested(pause))
        return pause.goes_on()

    def next(self) -> Message | None:
        """The next message. A signal that comes just before this thread begins to wait is handled only when the wait ends."""
        with suppress(Empty):
            return self._messages.get(timeout=LONGEST_SLEEP)
        return None
