"""What scenarios need from Prefect and git: the scripted world of these tests, or a real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from dockercise_prefect.webhook.receiver.hub import Registered

PATIENCE = 120.0


class Run(NamedTuple):
    """A flow run that was requested."""

    deployment_id: str
    commit: str
    targets: tuple[str, ...] | None


class World(Protocol):
    """Deployments that wait for pushes, and their runs.

    Attributes:
        elsewhere: how another process makes the hub: `module:name` of a function, and its one argument.
    """

    elsewhere: tuple[str, str]

    def register(self, repository: str, secret: str | None) -> Registered:
        """A deployment that every branch of the repository starts; None means without its own secret."""

    def commit(self, repository: str, number: int) -> tuple[str, str]:
        """A commit of a repository, unique for each number, and the previous commit."""

    def hang_up(self) -> None:
        """Stop answering from now on."""

    def answer(self) -> None:
        """Answer from now on, with everything that existed before."""

    def runs(self) -> list[Run]:
        """All runs, in the order in which they were started, also while nothing is answered."""


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE, *, every: float = 0.01) -> None:
    """Wait until something is true, checking it `every` so many seconds; it is an error if it never is."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not become true in time"
        time.sleep(every)
