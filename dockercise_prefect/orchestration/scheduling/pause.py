"""The time between two attempts at a stage."""

from __future__ import annotations

from threading import Event

from dockercise_prefect.pipeline import Stage


class Pause:
    """A stage that waits for its next attempt. Its own thread waits; the scheduler's thread decides.

    Args:
        stage: the stage.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._cut_short = Event()
        self._decided = Event()
        self._goes_on = False

    def rest(self, seconds: float) -> None:
        """Wait so long, or until `cut_short` is called."""
        self._cut_short.wait(seconds)

    def goes_on(self) -> bool:
        """Wait for the decision. Return whether the stage may make its next attempt."""
        self._decided.wait()
        return self._goes_on

    def cut_short(self) -> None:
        """The stage need not wait any longer, because it will not go on."""
        self._cut_short.set()

    def resume(self) -> None:
        """The stage may make its next attempt."""
        self._goes_on = True
        self._decided.set()

    def refuse(self) -> None:
        """The stage must not make another attempt."""
        self._decided.set()
