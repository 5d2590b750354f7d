"""All services of one attempt: started together, watched while the stage runs, stopped after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Final, Self

from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.stage.job import Job
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict
from dockercise_prefect.runtime.stage.ports import Ports
from dockercise_prefect.runtime.stage.running import Deadline
from dockercise_prefect.runtime.stage.services.container import ServiceContainer
from dockercise_prefect.status import StageStatus

AT_ONCE: Final = 8
"""How many services are created or stopped at the same time."""


class Services:
    """The services of one attempt. A context manager: all of them have ended and are removed when the context ends.

    Args:
        job: the attempt. It may have no services.
        ports: everything else that they use.
        labels: of the attempt.
        volumes: makes volumes of the attempt.
    """

    def __init__(self, job: Job, ports: Ports, labels: Labels, volumes: Volumes) -> None:
        self._job = job
        self._ports = ports
        self._changed = threading.Condition()
        self._all = [ServiceContainer(each, job, ports, labels, volumes, self._tell) for each in job.services]
        self._notify: Callable[[Stop], None] | None = None
        self._abandoned = False

    def __bool__(self) -> bool:
        return bool(self._all)

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Create and start all of them, without waiting until they are ready.

        Raises:
            DockerciseError: one of them cannot be created.
        """
        for answer in run_each(ServiceContainer.start, self._all, at_once=AT_ONCE):
            if isinstance(answer, Exception):
                raise answer

    def get_ready(self, deadline: Deadline | None) -> Verdict | None:
        """Wait until all are ready. If one does not get ready, or the attempt has to end, return how it ended.

        Args:
            deadline: of the attempt.
        """
        if not self._all:
            return None
        with self._ports.running.watch(self._abandon, deadline, self._job.stage.stop_grace) as watch:
            if watch.stop is None:
                self._wait_until_ready()
        if watch.stop is not None:
            waiting = [each.name for each in self._all if _gets_ready(each)]
            more = f", waiting for {' and '.join(waiting)} to get ready" if waiting else ""
            return Verdict(watch.stop.status, None, f"{watch.stop.message}{more}")
        why = next(filter(None, map(_why_not_ready, self._all)), None)
        return None if why is None else Verdict(StageStatus.FAILED, None, why)

    @contextmanager
    def watched(self, end: Callable[[Stop], None]) -> Iterator[None]:
        """While the stage runs: `end` is called as soon as a service has failed."""
        with self._changed:
            self._notify = end
        self._report()
        try:
            yield
        finally:
            with self._changed:
                self._notify = None

    @property
    def failure(self) -> Stop | None:
        """Why the stage has failed because of a service that failed while the stage was running; None if none has."""
        for service in self._all:
            if service.end is not None and service.end.is_failure:
                text = f"service {service.name} {service.end.in_words} while the stage was running"
                return Stop(StageStatus.FAILED, text)
        return None

    def last_words(self) -> str:
        """The last lines of each service, for the message of a failure."""
        return "\n".join(line for each in self._all for line in _last_words(each))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not self._all:
            return
        grace = self._job.stage.stop_grace
        with self._ports.running.watch(self._stop, None, grace):
            self._stop(grace)
        run_each(ServiceContainer.remove, self._all, at_once=AT_ONCE)

    def _stop(self, grace: float) -> None:
        """Let all of them end. What the engine refuses is removed later."""
        run_each(partial(_stop, grace=grace), self._all, at_once=AT_ONCE)

    def _wait_until_ready(self) -> None:
        with self._changed:
            while (waiting := [*filter(_gets_ready, self._all)]) and not self._abandoned:
                if any(map(_is_late, waiting)) or any(map(_has_failed, self._all)):
                    return
                self._changed.wait(max(0.0, min(map(_left, waiting))))

    def _abandon(self, _grace: float) -> None:
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._report()

    def _report(self) -> None:
        with self._changed:
            notify, failure = self._notify, self.failure
        if notify is not None and failure is not None:
            notify(failure)


def _stop(service: ServiceContainer, grace: float) -> None:
    service.stop(grace)


def _left(service: ServiceContainer) -> float:
    return service.began + service.allowed - time.monotonic()


def _gets_ready(service: ServiceContainer) -> bool:
    return not service.is_ready and service.end is None


def _is_late(service: ServiceContainer) -> bool:
    return _gets_ready(service) and _left(service) <= 0


def _has_failed(service: ServiceContainer) -> bool:
    """Whether it has ended before it was ready. One that needs no check, and has done its work, is ready."""
    return service.end is not None and not service.is_ready and (service.end.is_failure or service.has_check)


def _why_not_ready(service: ServiceContainer) -> str | None:
    if _has_failed(service) and service.end is not None:
        return f"service {service.name} {service.end.in_words} before it was ready"
    if not _is_late(service):
        return None
    text = f"service {service.name} did not get ready within {shown_seconds(service.allowed)}"
    return f"{text}; its last check: {service.last_check}" if service.last_check else text


def _last_words(service: ServiceContainer) -> Iterator[str]:
    state = f" ({service.end.in_words})" if service.end is not None else ""
    lines = service.last_lines
    if lines:
        yield f"service {service.name}{state}, its last lines:"
        yield from (f"  {line}" for line in lines.splitlines())
    elif state:
        yield f"service {service.name}{state} printed nothing"
