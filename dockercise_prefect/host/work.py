"""Decides whether the host stays awake. A pure function of what is known: nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WAKE_EARLY_SECONDS = 120
"""The host wakes so long before a schedule is due, because it takes a minute or two until a run can start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to do. Moments are in seconds since 1970.

    Attributes:
        now: the present moment.
        runs: how many flow runs have not ended.
        queued: how many pushes are in the queue.
        inbox: how many pushes the receiver has stored and not started.
        statuses: how many commit statuses have not reached their git host.
        unsent: how many records are not in the bucket as a whole.
        unregistered: the repositories that are not registered yet, without those that failed.
        next_schedule: when the next scheduled run is due; None if none is.
        awake_until: until when somebody wants the host to be awake.
        unknown: what could not be found out, each with the reason.
    """

    now: int
    runs: int = 0
    queued: int = 0
    inbox: int = 0
    statuses: int = 0
    unsent: int = 0
    unregistered: int = 0
    next_schedule: int | None = None
    awake_until: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stay:
    """Stay awake.

    Attributes:
        reasons: why, in sentences.
        idle_since: since when there is no work; None if there is work.
    """

    reasons: tuple[str, ...]
    idle_since: int | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go to sleep, and be awake again at `wake_at`; None for whenever there is work."""

    wake_at: int | None


def decide(facts: Facts, idle_since: int | None, idle_seconds: int) -> Stay | Sleep:
    """Decide whether the host stays awake.

    Args:
        facts: what there is to do.
        idle_since: since when there was no work, by the last decision; None if there was work, or for the first decision.
        idle_seconds: for how long the host stays awake without work.
    """
    work = tuple(_work(facts, idle_seconds))
    if work:
        return Stay(work, None)
    since = facts.now if idle_since is None or idle_since > facts.now else idle_since
    left = since + idle_seconds - facts.now
    if left > 0:
        return Stay((f"nothing is left to do; it sleeps in {_minutes(left)}",), since)
    return Sleep(wake_at(facts))


def wake_at(facts: Facts) -> int | None:
    """When the host must be awake for the next schedule, in seconds since 1970; None for never."""
    return None if facts.next_schedule is None else facts.next_schedule - WAKE_EARLY_SECONDS


def _work(facts: Facts, idle_seconds: int) -> Iterator[str]:
    yield from facts.unknown
    yield from _counted(facts.runs, "run has not ended", "runs have not ended")
    yield from _counted(facts.queued, "push is in the queue", "pushes are in the queue")
    yield from _counted(facts.inbox, "push waits for Prefect or git", "pushes wait for Prefect or git")
    yield from _counted(facts.statuses, "commit status is not sent", "commit statuses are not sent")
    yield from _counted(facts.unsent, "record is not in the bucket", "records are not in the bucket")
    yield from _counted(facts.unregistered, "repository is not registered yet", "repositories are not registered yet")
    if facts.next_schedule is not None and facts.next_schedule - facts.now <= idle_seconds + WAKE_EARLY_SECONDS:
        yield f"a scheduled run is due in {_minutes(facts.next_schedule - facts.now)}"
    if facts.awake_until > facts.now:
        yield f"somebody wants the host to be awake for {_minutes(facts.awake_until - facts.now)} more"


def _counted(number: int, one: str, many: str) -> Iterator[str]:
    if number:
        yield f"{number:,} {one if number == 1 else many}"


def _minutes(seconds: int) -> str:
    minutes = max(1, -(-seconds // 60))
    return "a minute" if minutes == 1 else f"{minutes:,} minutes"
