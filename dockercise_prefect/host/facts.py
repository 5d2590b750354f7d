"""Finds out what the host has to do. What does not answer becomes a reason to stay awake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx

from dockercise_prefect.aws.report import ReportedRun
from dockercise_prefect.errors import DockerciseError, WebhookError
from dockercise_prefect.host.drain import RECEIVER
from dockercise_prefect.host.work import WAKE_EARLY_SECONDS, Facts
from dockercise_prefect.orchestration.prefect.pool_runs import PoolRun, PoolRuns
from dockercise_prefect.results.record.unsent import UNSENT, unsent_runs

_HEALTH_SECONDS = 10.0

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class ReceiverHealth:
    """How much the receiver has to do: runs to start, and commit statuses to send."""

    inbox: int
    statuses: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found out at one moment.

    Attributes:
        facts: what there is to do.
        runs: the runs that have not ended.
        progress: a value that changes when work gets ahead: a run changes its state, or a log grows.
    """

    facts: Facts
    runs: tuple[ReportedRun, ...]
    progress: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who is asked. Each may raise `DockerciseError`.

    Attributes:
        queued: how many pushes are in the queue.
        pool_runs: what Prefect has to do by a moment.
        receiver: what the receiver has to do.
        awake_until: until when somebody wants the host to be awake, in seconds since 1970.
        unregistered: how many repositories are not registered yet.
        deployments: the names of deployments by their ids.
        data: the data folder, with the records that are not sent.
    """

    queued: Callable[[], int]
    pool_runs: Callable[[datetime], PoolRuns]
    receiver: Callable[[], ReceiverHealth]
    awake_until: Callable[[], int]
    unregistered: Callable[[], int]
    deployments: Callable[[], Mapping[str, str]]
    data: Path


def survey(sources: Sources, now: int) -> Survey:
    """Ask all sources.

    Args:
        sources: who is asked.
        now: the present moment, in seconds since 1970.
    """
    unknown: list[str] = []

    def asked(source: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        try:
            return source()
        except DockerciseError as error:
            unknown.append(error.message)
            return otherwise

    by = datetime.fromtimestamp(now + WAKE_EARLY_SECONDS, UTC)  # nobody would wake the host for runs that are due earlier
    # In the order in which work gets ahead: what has left one place when it is asked is in the next one when that is asked.
    queued = asked(sources.queued, 0)
    health = asked(sources.receiver, ReceiverHealth(0, 0))
    pool = asked(lambda: sources.pool_runs(by), PoolRuns((), None))
    unsent = asked(lambda: len(unsent_runs(sources.data)), 0)
    facts = Facts(
        now=now,
        runs=len(pool.unfinished),
        queued=queued,
        inbox=health.inbox,
        statuses=health.statuses,
        unsent=unsent,
        unregistered=asked(sources.unregistered, 0),
        next_schedule=None if pool.next_start is None else int(pool.next_start.timestamp()),
        awake_until=asked(sources.awake_until, 0),
        unknown=tuple(unknown),
    )
    runs = _reported(pool.unfinished, sources.deployments())
    return Survey(facts, runs, (runs, health, _written(sources.data / UNSENT)))


def ask_receiver(url: str = RECEIVER) -> ReceiverHealth:
    """What the receiver has to do.

    Raises:
        WebhookError: it does not answer, or cannot read its file.
    """
    try:
        answer = httpx.get(f"{url}health", timeout=_HEALTH_SECONDS, trust_env=False).json()
        return ReceiverHealth(int(answer["queue"]), int(answer["statuses"]))
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise WebhookError(f"the receiver of pushes does not answer at {url}") from error


def _reported(runs: tuple[PoolRun, ...], names: Mapping[str, str]) -> tuple[ReportedRun, ...]:
    return tuple(ReportedRun(run.id, names.get(run.deployment, run.name), run.state) for run in runs)


def _written(folder: Path) -> int:
    """How many bytes the records have that are being written or sent."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it was sent just now
            continue
    return total
