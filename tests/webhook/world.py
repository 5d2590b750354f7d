"""What scenarios need of Prefect and git: the scripted world of these tests, or a real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from dockercise_prefect.webhook.receiver.hub import Registered

PATIENCE = 120.0


class Run(NamedTuple):
    """A flow run that somebody asked for."""

    deployment_id: str
    commit: str
    targets: tuple[str, ...] | None


class World(Protocol):
    """Deployments that wait for pushes, and their runs.

    Attributes:
        elsewhere: how another process makes the hub: `module:name` of what makes it, and its one argument.
    """

    elsewhere: tuple[str, str]

    def register(self, repository: str, secret: str | None) -> Registered:
        """A deployment that every branch of the repository starts; None is not a secret of its own."""

    def commit(self, repository: str, number: int) -> tuple[str, str]:
        """A commit of a repository that no other number has, after the one before it."""

    def hang_up(self) -> None:
        """From now on nobody answers."""

    def answer(self) -> None:
        """From now on somebody does, with all that was there before."""

    def runs(self) -> list[Run]:
        """All runs, as they were started, also while nobody answers."""


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE, *, every: float = 0.01) -> None:
    """Wait for something to become true, looking `every` so many seconds; it is an error if it does not."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not become true in time"
        time.sleep(every)
