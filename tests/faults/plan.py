"""Which faults a connection has: a plan is a value, and the same seed always makes the same plan."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a proxy does to one request.

    `delay` waits before it passes the request on. `drop` closes the connection instead of passing it on. `lose` passes it on,
    and closes the connection instead of passing the answer on. `cut` closes it in the middle of the answer. `refuse` answers
    itself, with a status of 500 or above. `garble` spoils bytes of the answer, if it is JSON. `stall` interrupts the answer for
    a while. On a connection that was upgraded to a stream, `cut` and `stall` count the bytes of the stream.
    """

    DELAY = "delay"
    DROP = "drop"
    LOSE = "lose"
    CUT = "cut"
    REFUSE = "refuse"
    GARBLE = "garble"
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one request.

    Attributes:
        of: a regular expression for `METHOD /path?query`.
        number: the n-th request that matches, counted from 1; a later one if nothing can be spoiled there.
        seconds: the length of a delay or a stall.
        after: the bytes of the answer's body that are passed on first.
        status: the status of a refusal.
    """

    kind: Kind
    of: str
    number: int = 1
    seconds: float = 0.0
    after: int = 0
    status: int = 503


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of a connection."""

    seed: int
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        """The plan in a line, for a failed case."""
        return f"seed {self.seed}: " + ", ".join(f"{fault.kind} of {fault.of} no. {fault.number}" for fault in self.faults)


ENGINE_REQUESTS: Mapping[str, int] = {
    r"": 60,
    r"POST .*/containers/create": 5,
    r"POST .*/attach": 5,
    r"POST .*/start": 5,
    r"POST .*/wait": 5,
    r"GET .*/containers/\w+/json": 5,
    r"(PUT|GET) .*/archive": 4,
    r"POST .*/volumes/create": 6,
    r"POST .*/(stop|kill)": 2,
    r"DELETE ": 12,
    r"GET .*/(volumes|networks|images|containers/json)": 6,
}
"""Requests to an engine, and how many of a kind a small run makes."""

PREFECT_REQUESTS: Mapping[str, int] = {
    r"": 30,
    r"POST .*/flow_runs/ ?$": 1,
    r"POST .*/flow_runs/.*/set_state": 3,
    r"POST .*/task_runs": 5,
    r"POST .*/logs": 3,
    r"GET .*/events/in": 1,
    r"PATCH ": 4,
    r"POST .*/artifacts": 2,
    r"GET ": 8,
}
"""The same for Prefect's API."""


def random_plan(seed: int, kind: Kind, requests: Mapping[str, int]) -> Plan:
    """A plan with up to four faults of one kind.

    Args:
        seed: decides everything that is random.
        kind: of all faults.
        requests: patterns of requests, and how many of these a run makes.
    """
    chance = random.Random(f"plan {seed}")  # noqa: S311  a plan is not a secret
    faults = []
    for _ in range(chance.randint(1, 4)):
        of = chance.choice(list(requests))
        faults.append(
            Fault(
                kind,
                of,
                number=chance.randint(1, requests[of]),
                seconds=chance.uniform(0.2, 3.0),
                after=chance.choice((0, 1, 7, 60, 900)),
                status=chance.choice((500, 502, 503, 504)),
            )
        )
    return Plan(seed, tuple(faults))


@dataclass(slots=True)
class Course:
    """How far a plan has come. Thread-safe.

    Attributes:
        done: what was done to which request, one line for each fault, in order.
    """

    plan: Plan
    done: list[str] = field(default_factory=list)
    _seen: dict[Fault, int] = field(default_factory=dict)
    _taken: set[Fault] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, request: str) -> Fault | None:
        """The fault of a request, `METHOD /path?query`; each call counts as a request. No other request gets the same one."""
        with self._lock:
            matching = [fault for fault in self.plan.faults if re.search(fault.of, request)]
            reached = [fault for fault in matching if self._counted(fault) >= fault.number]
            due = next((fault for fault in reached if fault not in self._taken), None)
            if due is not None:
                self._taken.add(due)
            return due

    def give_back(self, fault: Fault) -> None:
        """The fault was not done, for example because the answer has no JSON to garble. A later request gets it."""
        with self._lock:
            self._taken.discard(fault)

    def note(self, fault: Fault, request: str) -> None:
        """Note that a fault has been done."""
        with self._lock:
            self.done.append(f"{fault.kind} of {request}")

    def _counted(self, fault: Fault) -> int:
        self._seen[fault] = self._seen.get(fault, 0) + 1
        return self._seen[fault]
