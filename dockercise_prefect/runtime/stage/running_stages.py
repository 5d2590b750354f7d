"""The running stages of one run. Clean-up stages go on when the ordinary stages are stopped (LANGUAGE section 7)."""

from __future__ import annotations

from collections.abc import Callable

from dockercise_prefect.pipeline import Pipeline, Stage
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.stage.running import Running


class RunningStages:
    """Stops the stages of a run. Every method may be called from any thread, also from a signal handler.

    Args:
        pipeline: the stages of the run.
        notify: called if the engine refuses to stop something.
    """

    def __init__(self, pipeline: Pipeline, notify: Callable[[str], None]) -> None:
        self._ordinary = Running(notify)
        self._cleanup = Running(notify)
        self._cleans_up = any(stage.when.cleans_up for stage in pipeline)

    def of(self, stage: Stage) -> Running:
        """What stops this stage."""
        return self._cleanup if stage.when.cleans_up else self._ordinary

    def cancel(self, stop: Stop) -> None:
        """Stop the ordinary stages, each with its grace period, and start no more of them. Returns immediately."""
        self._ordinary.cancel(stop)
        if not self._cleans_up:
            self._cleanup.cancel(stop)

    def cancel_cleanup(self, stop: Stop) -> None:
        """The same for clean-up stages."""
        self._cleanup.cancel(stop)

    def kill(self, stop: Stop) -> None:
        """End all stages immediately, and start nothing more. Returns immediately."""
        self._ordinary.kill(stop)
        self._cleanup.kill(stop)

    def wait(self, seconds: float) -> None:
        """Wait until no stage runs any more, at most `seconds`."""
        if self._ordinary.wait(seconds):
            self._cleanup.wait(seconds)

    def refuse_when_cancelled(self) -> None:
        """Raise if no stage may start any more, not even a clean-up stage. For work that several stages need.

        Raises:
            EngineError: nothing may continue.
        """
        self._cleanup.refuse_when_cancelled()

    def refuse_when_killed(self) -> None:
        """Raise if the run is killed. For work that is still done after a cancellation, but not after a kill.

        Raises:
            EndedAtOnceError: nothing may continue, and nothing is waited for.
        """
        self._ordinary.refuse_when_killed()
