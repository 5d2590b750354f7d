"""A host that does what the real one does with the parameters of its stack, and nothing else: it reports, and registers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.report import Phase, Report, RepositoryPhase, RepositoryState
from dockercise_prefect.aws.repository import StackRepository


@dataclass
class ScriptedHost:
    """A host that is told what to say.

    Attributes:
        refused: what is wrong with repositories, by their https addresses.
        error: what is wrong with the host itself.
        is_silent: whether it does nothing.
        booted_at: when it was started last, in seconds since 1970.
        said_at: the time of its last report. The next one is later, also if the emulator has reset the parameter.
    """

    ssm: Any
    names: StackNames
    refused: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    is_silent: bool = False
    booted_at: int = 0
    said_at: int = 0
    looking: threading.Lock = field(default_factory=threading.Lock)

    def silence(self) -> None:
        """From here on, it does nothing."""
        with self.looking:
            self.is_silent = True

    def look(self) -> None:
        """Read the parameters once, and report; as the real host does every minute."""
        parameters = StackParameters(self.ssm, self.names)
        config = parameters.host()
        if config is None:
            return
        states = {}
        for one in parameters.repositories():
            if isinstance(one.repository, StackRepository):
                refused = self.refused.get(one.repository.address)
                name = one.repository.options.name or one.repository.address.rpartition("/")[2]
                phase = RepositoryPhase.FAILED if refused else RepositoryPhase.READY
                deployment = None if refused else f"{name}/{name}"
                states[one.name] = RepositoryState(one.version, phase, deployment, refused)
        before = parameters.report()
        report = Report(
            at=max(int(time.time()), self.said_at + 1),
            booted_at=self.booted_at,
            worked_at=self.booted_at,
            phase=Phase.FAILED if self.error else Phase.IDLE,
            error=self.error,
            package="" if self.error else config.package,
            repositories=states,
        )
        if before is None or replace(before, at=0) != replace(report, at=0):
            self.said_at = report.at
            parameters.save_report(report)


@contextmanager
def running_host(ssm: Any, names: StackNames, is_awake: Callable[[], bool]) -> Iterator[ScriptedHost]:
    """A host that looks at its parameters all the time, as soon as its stack is there, while it is awake."""
    host, ended = ScriptedHost(ssm, names), threading.Event()

    def work() -> None:
        was_awake = False
        while not ended.wait(0.2):
            now_awake = is_awake()
            if now_awake and not was_awake:
                host.booted_at = int(time.time())
            was_awake = now_awake
            with host.looking:
                if now_awake and not host.is_silent:
                    host.look()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        ended.set()
        thread.join()
