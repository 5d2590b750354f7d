"""The flow runs in Prefect that have not ended, and whether their processes live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from dockercise_prefect.orchestration.prefect.flow_run import PIPELINE_TAG
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign
from dockercise_prefect.runtime.cleanup.ownership import Owner, Sight, seen_together

RUNNING = "RUNNING"
PENDING = "PENDING"
CANCELLING = "CANCELLING"
PAUSED = "PAUSED"
UNFINISHED = (RUNNING, PENDING, CANCELLING, PAUSED)
"""The types of the states in which a flow run has a process, or should soon have one."""

SUSPENDED = "Suspended"
"""The name of the state of a flow run that waits for somebody, and has no process meanwhile."""


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A flow run that has not ended.

    Attributes:
        state: the type of its state.
        since: when it got this state.
        seen: when Prefect noted the last change of the flow run: its last sign of life, or a later change by others.
        run_count: how many attempts have begun.
        is_deployed: whether it belongs to a deployment. Then a worker starts its process.
        sign: its sign of life; None if it has none.
    """

    id: str
    name: str
    state: str
    since: datetime
    seen: datetime
    run_count: int
    is_deployed: bool
    tags: frozenset[str]
    sign: Sign | None

    @property
    def is_ours(self) -> bool:
        """Whether a pipeline runs in it, or is going to."""
        return self.sign is not None or self.pipeline is not None

    @property
    def pipeline(self) -> str | None:
        """The name of its pipeline, from its tags; None if they do not say it."""
        return next((tag.removeprefix(PIPELINE_TAG) for tag in sorted(self.tags) if tag.startswith(PIPELINE_TAG)), None)

    @property
    def host(self) -> str:
        """The machine or container of its process, in words."""
        owner = Owner.parse(self.sign.owner) if self.sign else None
        return owner.host if owner else "an unknown machine"


class Fate(Enum):
    """What is known about the process of a flow run."""

    ALIVE = "alive"
    """It lives for sure, or has given a sign of life a short time ago, or nothing speaks against it."""

    SILENT = "silent"
    """There has been no sign of life for too long. It is dead if there is none although it could send one."""

    DEAD = "dead"
    """It is dead for sure."""

    UNKNOWN = "unknown"
    """It never gave a sign of life, for example because an older version of dockercise runs it."""


def fate(run: UnfinishedRun, now: datetime, silence: float, sight: Callable[[str], Sight]) -> Fate:
    """What is known about the process of a flow run.

    Args:
        run: the flow run.
        now: the time by Prefect's clock.
        silence: after how many seconds without a sign of life a process counts as silent.
        sight: what can be seen of an owner from here.
    """
    limit = timedelta(seconds=silence)
    is_old = now - run.seen >= limit
    if run.sign is None:
        return _fate_without_sign(run) if is_old else Fate.ALIVE
    seen = seen_together([run.sign.owner, run.sign.guardian], sight)
    if run.sign.attempt != _current_attempt(run):
        seen = Sight.UNKNOWN  # the sign is from the process of an earlier attempt
    match seen:
        case Sight.ALIVE:
            return Fate.ALIVE
        case Sight.DEAD if not _is_in_other_hands(run) or now - run.since >= limit:
            return Fate.DEAD
        case _:
            return Fate.SILENT if is_old else Fate.ALIVE


def _fate_without_sign(run: UnfinishedRun) -> Fate:
    """What is known about a flow run that has been without any sign of life for too long."""
    if run.state != PENDING:
        return Fate.UNKNOWN
    # A worker may need hours to start a process. Only `dockercise run` starts at once.
    return Fate.ALIVE if run.is_deployed else Fate.SILENT


def _current_attempt(run: UnfinishedRun) -> int:
    """The attempt that the flow run is in. It is counted when it gets Running."""
    return run.run_count + 1 if run.state == PENDING else run.run_count


def _is_in_other_hands(run: UnfinishedRun) -> bool:
    """Whether somebody else may be busy with the flow run: a worker that starts it again, or whoever cancels it."""
    return run.state == CANCELLING or (run.state == PENDING and run.is_deployed)
