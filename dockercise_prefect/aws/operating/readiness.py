"""Waits for the host: until it has booted, installed what it should, and registered a repository."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dockercise_prefect.aws.operating.instance import HostState, StackInstance
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.report import Phase, Report, RepositoryState
from dockercise_prefect.errors import ExitStatus, StorageError

POLL_SECONDS = 5.0
"""Seconds between two looks at the host."""

PATIENCE = 30 * 60
"""Seconds. A first boot takes some minutes; a start waits longest where the zone has no room."""

_AT_WORK = frozenset({Phase.READY, Phase.WORKING, Phase.IDLE})

Found = TypeVar("Found")

_LOGS = "`dockercise aws logs --host` and `dockercise aws status` show more"


class HostFailedError(StorageError):
    """The host could not do what it should."""

    exit_status = ExitStatus.ENGINE_FAILED


@dataclass(frozen=True, slots=True)
class Clock:
    """Time for those who wait. `now` is in seconds since 1970; `pause` waits until the next look."""

    now: Callable[[], float] = time.time
    pause: Callable[[], None] = lambda: time.sleep(POLL_SECONDS)


class Readiness:
    """Waits for one host. Methods raise `StorageError` if AWS does not answer, and `RefusedError` if it refuses.

    Args:
        instance: the host.
        tell: called with each line of the host's first boot, and with what it says about itself.
    """

    def __init__(
        self, instance: StackInstance, parameters: StackParameters, tell: Callable[[str], None], clock: Clock | None = None
    ) -> None:
        self._instance = instance
        self._parameters = parameters
        self._tell = tell
        self._clock = clock or Clock()
        self._told: list[str] = []
        self._last_phase: Phase | None = None
        self._has_console = True

    def wait_for_package(self, package: str, since: float) -> Report:
        """Wait until the host works with a package, and return its report.

        Args:
            package: as the parameter `host` names it.
            since: seconds since 1970 by the clock of the host; older reports say nothing about this start.

        Raises:
            HostFailedError: it failed, or took too long.
        """

        def works(report: Report | None) -> Report | None:
            if report is None or report.at < since:
                return None
            if report.phase is Phase.FAILED or (report.error and report.package != package):
                raise HostFailedError(f"the host failed: {report.error or 'it does not say why'}", _LOGS)
            return report if report.phase in _AT_WORK and report.package == package else None

        return self._wait(works, "is not ready", self._tell_news)

    def wait_until_awake(self) -> Report:
        """Wait until the host has started and works, and return its report.

        Raises:
            HostFailedError: it failed, or took too long.
        """
        instance = self._instance

        def works(report: Report | None) -> Report | None:
            found = instance.look()
            if found.state is not HostState.RUNNING or report is None:
                return None
            is_of_this_start = found.since is None or report.at >= found.since.timestamp()
            if is_of_this_start and report.phase is Phase.FAILED:
                raise HostFailedError(f"the host failed: {report.error or 'it does not say why'}", _LOGS)
            return report if is_of_this_start and report.phase in _AT_WORK else None

        return self._wait(works, "is not ready", self._tell_news)

    def wait_for_repository(self, name: str, version: int) -> RepositoryState:
        """Wait until the host has registered a repository, or has failed to.

        Args:
            name: see `repository_name`.
            version: the version of its parameter.

        Raises:
            HostFailedError: it took too long.
        """

        def state(report: Report | None) -> RepositoryState | None:
            found = report.repositories.get(name) if report is not None else None
            return found if found is not None and found.version >= version else None

        return self._wait(state, f"has not registered {name}", _silent)

    def wait_until_forgotten(self, name: str) -> None:
        """Wait until the host does not report on a repository whose parameter was removed. Versions then begin with 1 again.

        Raises:
            HostFailedError: it took too long.
        """
        self._wait(
            lambda report: True if report is None or name not in report.repositories else None, f"still has {name}", _silent
        )

    def _wait(self, look: Callable[[Report | None], Found | None], what: str, news: Callable[[Report | None], None]) -> Found:
        begun = self._clock.now()
        while True:
            report = self._parameters.report()
            news(report)
            found = look(report)
            if found is not None:
                return found
            if self._clock.now() - begun > PATIENCE:
                raise HostFailedError(f"the host {what} after {PATIENCE // 60} minutes", _LOGS)
            self._clock.pause()

    def _tell_news(self, report: Report | None) -> None:
        if report is not None:
            if report.phase is not self._last_phase:
                self._last_phase = report.phase
                self._tell(f"host: {report.phase}")
            return
        lines = self._console()
        known = len(self._told) if lines[: len(self._told)] == self._told else 0
        for line in lines[known:]:
            self._tell(f"host: {line}")
        self._told = lines

    def _console(self) -> list[str]:
        """What the first boot has printed. It is only for the user, so the wait goes on without it."""
        try:
            return self._instance.console() if self._has_console else []
        except StorageError as error:
            self._has_console = False
            self._tell(f"{error.message}; the host goes on all the same")
            return []


def _silent(_report: Report | None) -> None:
    """Tell nothing: the user waits for something else than the host itself."""
