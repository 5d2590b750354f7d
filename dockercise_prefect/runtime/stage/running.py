"""The running containers and builds, and how they are stopped: by a timeout, or when the run is cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from dockercise_prefect.errors import EngineError
from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.status import StageStatus

ASK_AGAIN = 0.5
"""Seconds after which something that still runs is stopped again: at the first stop, it had perhaps not been started yet."""

Ending: TypeAlias = Callable[[float], None]
"""Makes something end, with so many seconds of grace. May be called several times."""


class EndedAtOnceError(EngineError):
    """The work was stopped before its end, because the caller does not want to wait."""

    def __init__(self) -> None:
        super().__init__("the run was killed")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time at which a stage has run for too long.

    Attributes:
        seconds: how long the stage may take, from the creation of this object.
    """

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, timeout: float | None) -> Deadline | None:
        """A deadline whose time begins now; None for a stage without a timeout."""
        return None if timeout is None else cls(timeout)

    @property
    def left(self) -> float:
        """Seconds until the deadline; 0 after it."""
        return max(0.0, self._began + self.seconds - time.monotonic())


class Watch:
    """One container or build, from just before it starts to its end.

    Args:
        ending: makes it end.
        grace: seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, ending: Ending, grace: float) -> None:
        self.ending = ending
        self.grace = grace
        self._lock = threading.Lock()
        self._stop: Stop | None = None
        self._ended = threading.Event()

    @property
    def stop(self) -> Stop | None:
        """Why it is being stopped; None if it is not."""
        return self._stop

    def decide(self, stop: Stop) -> bool:
        """Record why it is stopped; False if it has ended already. Only the first reason is kept."""
        with self._lock:
            if self._ended.is_set():
                return False
            self._stop = self._stop or stop
            return True

    def end(self) -> None:
        """Record that it has ended. From now on, it is too late to stop it."""
        with self._lock:
            self._ended.set()

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, at most `seconds`. Return whether it has ended."""
        return self._ended.wait(seconds)


class Running:
    """Stages of a run that are running now. Every method may be called from any thread, also from a signal handler.

    Args:
        notify: called if the engine refuses to stop something.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._changed = threading.Condition(threading.RLock())
        self._watches: set[Watch] = set()
        self._cancelled: Stop | None = None
        self._killed = False

    @property
    def cancelled(self) -> Stop | None:
        """Why nothing may start any more; None while stages may start."""
        return self._cancelled

    def refuse_when_cancelled(self) -> None:
        """Raise if the run is cancelled. Code that takes long should call this from time to time.

        Raises:
            EngineError: the run is cancelled, so nothing may continue.
        """
        if self._cancelled is not None:
            raise EngineError(self._cancelled.message)

    def refuse_when_killed(self) -> None:
        """Raise if the run is killed. For work that is still done after a cancellation, but not after a kill.

        Raises:
            EndedAtOnceError: the run is killed, so nothing may continue, and nothing is waited for.
        """
        if self._killed:
            raise EndedAtOnceError

    @contextmanager
    def watch(self, ending: Ending, deadline: Deadline | None, grace: float) -> Iterator[Watch]:
        """Watch a container or a build while it runs: it can be stopped, and it is stopped when its time is over.

        If the run is cancelled already, the watch says so from the start, and the caller must not start anything. If it is
        killed, what runs is made to end immediately.

        Args:
            ending: makes it end.
            deadline: when its time is over.
            grace: seconds between SIGTERM and SIGKILL when it is stopped.
        """
        watch = Watch(ending, grace)
        with self._changed:
            self._watches.add(watch)
            if self._cancelled is not None:
                watch.decide(self._cancelled)
            if self._cancelled is not None and self._killed:
                self._end(watch, self._cancelled, 0)
        timer: threading.Timer | None = None
        if deadline is not None:
            stop = Stop(StageStatus.TIMED_OUT, f"timed out after {shown_seconds(deadline.seconds)}")
            timer = threading.Timer(deadline.left, self._press, (watch, stop, grace))
            timer.daemon = True
            timer.start()
        try:
            yield watch
        finally:
            watch.end()
            if timer is not None:
                timer.cancel()
            with self._changed:
                self._watches.discard(watch)
                self._changed.notify_all()

    def cancel(self, stop: Stop) -> None:
        """Stop everything with a grace period, and start nothing more. Returns immediately. A second call has no effect."""
        with self._changed:
            if self._cancelled is not None:
                return
            self._cancelled = stop
            watches = list(self._watches)
        for watch in watches:
            self._end(watch, stop, watch.grace)

    def kill(self, stop: Stop) -> None:
        """End everything that runs, without a grace period, and start nothing more. Returns immediately.

        What is being stopped already keeps its reason.
        """
        with self._changed:
            self._killed = True
            self._cancelled = self._cancelled or stop
            watches = list(self._watches)
        for watch in watches:
            self._end(watch, self._cancelled, 0)

    def end(self, watch: Watch, stop: Stop) -> None:
        """Stop one container or build, with a grace period. Returns immediately."""
        self._end(watch, stop, watch.grace)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing runs any more, at most `seconds`. Return whether that is the case."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._watches, seconds)

    def _end(self, watch: Watch, stop: Stop, grace: float) -> None:
        threading.Thread(target=self._press, args=(watch, stop, grace), daemon=True).start()

    def _press(self, watch: Watch, stop: Stop, grace: float) -> None:
        said = False
        while watch.decide(stop):
            try:
                watch.ending(grace)
            except EngineError as error:
                if not said:
                    self._notify(f"a container could not be stopped, trying again: {error.message}")
                said = True
            watch.ended_within(ASK_AGAIN)
