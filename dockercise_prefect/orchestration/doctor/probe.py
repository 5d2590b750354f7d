"""Runs probes next to each other. None of them can keep the others, or the command, from ending."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus

_LOGIN = re.compile(r"(?<=://)[^/\s@'\"]+@")


@dataclass(frozen=True, slots=True)
class Probe:
    """Looks at one thing and gives its checks.

    Attributes:
        name: of the check if the probe fails or does not end.
        look: looks. It may raise, and it may never return.
        seconds: how long it may take.
        failed: the status if it fails or does not end: a problem if runs need it, else unknown.
        hint: what to do if it does not end.
    """

    name: str
    look: Callable[[], Iterable[Check]]
    seconds: float
    failed: CheckStatus = CheckStatus.UNKNOWN
    hint: str | None = None


def run_probes(probes: Sequence[Probe]) -> list[Check]:
    """The checks of all probes, in the order of the probes. It takes as long as the longest time that a probe may take."""
    running = [_Running(probe) for probe in probes]
    return [check for one in running for check in one.checks()]


class _Running:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._checks: list[Check] = []
        self._until = time.monotonic() + probe.seconds
        # A daemon: the process does not wait for it at its end.
        look = copy_context().run  # Prefect's settings are in the context
        self._thread = threading.Thread(target=look, args=(self._look,), name=f"dockercise-doctor-{probe.name}", daemon=True)
        self._thread.start()

    def checks(self) -> list[Check]:
        """What was found; one check that says so if nothing was found in time."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        if self._thread.is_alive():
            probe = self._probe
            return [Check(probe.name, probe.failed, f"no answer within {probe.seconds:g} s", probe.hint)]
        return [replace(check, found=without_logins(check.found)) for check in self._checks]

    def _look(self) -> None:
        probe = self._probe
        try:
            self._checks = list(probe.look())
        except DockerciseError as error:
            self._checks = [Check(probe.name, probe.failed, error.message, error.hint)]
        except Exception as error:  # noqa: BLE001  whatever is wrong with one thing, the others are still looked at
            self._checks = [Check(probe.name, probe.failed, f"looking at it failed: {type(error).__name__}: {error}")]


def without_logins(text: str) -> str:
    """The text without names and passwords in addresses."""
    return _LOGIN.sub("***@", text)
