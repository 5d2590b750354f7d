"""Whether a run is being stopped, why, and which stages may still start."""

from __future__ import annotations

import signal
from collections import Counter

from dockercise_prefect.orchestration.scheduling.ports import BY_PREFECT
from dockercise_prefect.pipeline import Stage

_WORKER = {signal.SIGTERM.name: BY_PREFECT, BY_PREFECT: signal.SIGTERM.name}
"""Requests that come in pairs. Either can come first."""


class Stopping:
    """The state of a run that may be stopped. Not thread-safe, except for `signal_due`.

    Attributes:
        reason: why no ordinary stage may start any more; None while they may.
        over: why no stage may start any more, not even a clean-up stage; None while they may.
        interrupted_by: what interrupted the run last, for example the name of a signal; None if nothing did.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.over: str | None = None
        self.interrupted_by: str | None = None
        self._requests: Counter[str] = Counter()

    @property
    def signal_due(self) -> bool:
        """Whether the run was cancelled in Prefect, and a worker's SIGTERM for that may still come."""
        return self._requests[BY_PREFECT] > self._requests[signal.SIGTERM.name]

    def is_new(self, by: str) -> bool:
        """Count a request to end. It is not new if a worker sends SIGTERM because the run is cancelled in Prefect."""
        self._requests[by] += 1
        other = _WORKER.get(by)
        return other is None or self._requests[by] > self._requests[other]

    def stop(self, reason: str) -> None:
        """From here on, only clean-up stages may start. The first reason is kept."""
        self.reason = self.reason or reason

    def end(self, reason: str) -> None:
        """From here on, no stage may start. The latest reason is kept."""
        self.stop(reason)
        self.over = reason

    def may_not_start(self, stage: Stage) -> bool:
        """Whether a stage that is ready must not start."""
        return self.over is not None or (self.reason is not None and not stage.when.cleans_up)

    def why_not(self, stage: Stage) -> str:
        """Why a stage does not start, as the message of its end."""
        return f"not started: {self.over if stage.when.cleans_up and self.over else self.reason}"
