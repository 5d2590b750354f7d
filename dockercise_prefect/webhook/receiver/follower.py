"""Follows the runs that pushes started until they end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.hosts.statuses import CommitState
from dockercise_prefect.webhook.receiver.hub import Hub, RunState
from dockercise_prefect.webhook.receiver.inbox import KEPT_SECONDS
from dockercise_prefect.webhook.receiver.orders import Orders, Outstanding

MOST_AT_ONCE = 100
"""The most runs that the hub is asked about in one call."""

_VERDICTS = {
    RunState.SUCCESS: (CommitState.SUCCESS, "passed"),
    RunState.FAILURE: (CommitState.FAILURE, "failed"),
    RunState.ERROR: (CommitState.ERROR, "ended without a result"),
    RunState.GONE: (CommitState.ERROR, "was removed from Prefect"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Seconds between two looks at a run: a twentieth of its age, within these bounds."""

    shortest: float = 2.0
    longest: float = 30.0

    def pause(self, age: float) -> float:
        """Seconds to wait for a run of this age."""
        return min(self.longest, max(self.shortest, age / 20))


class Follower:
    """One step: ask for the states of the runs that are due, and store which of them have ended."""

    def __init__(
        self, hub: Hub, orders: Orders, say: Callable[[str], None], ended: Callable[[str], None], looks: Looks
    ) -> None:
        """Make the follower.

        Args:
            hub: knows the states of runs.
            orders: knows which runs are outstanding.
            say: called with a line when a run has ended.
            ended: called with the state of each run that has ended.
            looks: how often to ask.
        """
        self._hub = hub
        self._orders = orders
        self._say = say
        self._ended = ended
        self._looks = looks

    def step(self) -> float:
        """Look at some runs; returns the seconds until the next look."""
        now = time.time()
        runs = self._orders.outstanding(now, MOST_AT_ONCE)
        if not runs:
            due = self._orders.next_look()
            return float("inf") if due is None else max(self._looks.shortest / 2, due - now)
        try:
            states = self._hub.states([run.flow_run_id for run in runs])
        except DockerciseError:
            return self._looks.longest  # the directory already reports that the hub is down
        going_on = [run for run in runs if not self._settled(run, states.get(run.flow_run_id, RunState.GONE), now)]
        self._orders.look_later([(now + self._looks.pause(now - run.submitted), run.seq) for run in going_on])
        return 0.0

    def _settled(self, run: Outstanding, state: RunState, now: float) -> bool:
        if not state.final and now - run.submitted < KEPT_SECONDS:
            return False
        verdict, words = _VERDICTS.get(state, (CommitState.ERROR, "has not ended in a month"))
        self._orders.ended(run, state, verdict, words, now)
        self._ended(state)
        self._say(f"{run.name}: run {run.flow_run_id} {words}")
        return True
