"""The orders that accepted deliveries make: one for each deployment that a delivery is for."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dockercise_prefect.hosts.statuses import CommitState
from dockercise_prefect.webhook.payload.event import Event, event_from_json
from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.hub import RunState, Started
from dockercise_prefect.webhook.receiver.notices import put_notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A flow run that has to be started if the event touches anything.

    Attributes:
        seq: its number; orders of the same deployment with smaller numbers go first.
        key: identifies the order: the same for all attempts, also in another process, and different for every other order.
        deployment_id: the deployment to run.
        name: name of the deployment.
        event: the push or the pull request that made the order.
        attempts: how often it was tried.
        received: when the event arrived, in seconds since 1970.
    """

    seq: int
    key: str
    deployment_id: str
    name: str
    event: Event
    attempts: int
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """A flow run that was started and, as far as is known, has not ended.

    Attributes:
        seq: the number of its order.
        name: name of the deployment.
        flow_run_id: Prefect's id of the run.
        submitted: when it was submitted, in seconds since 1970.
    """

    seq: int
    name: str
    flow_run_id: str
    submitted: float


class Told(NamedTuple):
    """Where the statuses of a run are sent: a host's site, and the Secret block with the token for it."""

    site: str
    token: str


class Orders:
    """All orders, each in one of four states: queued, submitted, done, refused.

    Orders of one deployment are submitted one after the other, in the order in which they arrived. Orders of different
    deployments are submitted in parallel. Only one process uses the file at a time, so the orders that are being processed are
    known only in memory. If the process is killed, they stay queued.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._busy: set[str] = set()

    def claim(self, now: float) -> Order | None:
        """Take the next order that is due; no other thread gets it until `release`. None if no order is due now."""
        with self._database.reading() as connection:
            for row in connection.execute(_HEADS + " ORDER BY head.due, head.seq"):
                if row["due"] > now:
                    break
                if row["deployment_id"] not in self._busy:
                    order = _order(connection, row["seq"])
                    self._busy.add(row["deployment_id"])
                    return order
        return None

    def release(self, order: Order) -> None:
        """Release an order. Then the next one of the same deployment can follow, or the same one again when it is due."""
        with self._database.reading():
            self._busy.discard(order.deployment_id)

    def next_due(self) -> float | None:
        """When the next order is due, in seconds since 1970; None if none waits."""
        with self._database.reading() as connection:
            heads = connection.execute(_HEADS).fetchall()
            return min((row["due"] for row in heads if row["deployment_id"] not in self._busy), default=None)

    def later(self, order: Order, due: float, reason: str) -> None:
        """Try the order again when it is due."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE orders SET attempts = attempts + 1, due = ?, reason = ? WHERE seq = ?", (due, reason, order.seq)
            )

    def submitted(self, order: Order, started: Started, told: Told | None, now: float) -> None:
        """Store that the run of the order exists. If a host gets statuses of it, add one to send."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE orders SET state = 'submitted', flow_run_id = ?, url = ?, site = ?, token = ?, submitted = ?, due = ?,"
                " reason = NULL WHERE seq = ?",
                (started.flow_run_id, started.url, *(told or (None, None)), now, now, order.seq),
            )
            _drop_push(connection, order.seq)
            if told:
                words = "waits for a maintainer's yes" if started.waits_for_yes else "waits or runs"
                put_notice(connection, order.seq, CommitState.PENDING, words, now)

    def done(self, order: Order, reason: str) -> None:
        """Store that there is nothing to run."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE orders SET state = 'done', reason = ? WHERE seq = ?", (reason, order.seq))
            _drop_push(connection, order.seq)

    def refused(self, order: Order, reason: str, told: Told | None, now: float) -> None:
        """Store that the order can never run. If a host gets statuses of it, add one to send."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE orders SET state = 'refused', reason = ?, site = ?, token = ? WHERE seq = ?",
                (reason, *(told or (None, None)), order.seq),
            )
            _drop_push(connection, order.seq)
            if told:
                put_notice(connection, order.seq, CommitState.ERROR, reason, now)

    def outstanding(self, now: float, most: int) -> Sequence[Outstanding]:
        """Runs that are due to be looked at."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT seq, name, flow_run_id, submitted FROM orders WHERE state = 'submitted' AND due <= ?"
                " ORDER BY due, seq LIMIT ?",
                (now, most),
            ).fetchall()
        return [Outstanding(**row) for row in rows]

    def next_look(self) -> float | None:
        """When the next run is due to be looked at, in seconds since 1970; None if no run is outstanding."""
        with self._database.reading() as connection:
            (due,) = connection.execute("SELECT min(due) FROM orders WHERE state = 'submitted'").fetchone()
        return None if due is None else float(due)

    def look_later(self, looks: Sequence[tuple[float, int]]) -> None:
        """Look at runs again later. Each pair is a time and an order's number."""
        with self._database.transaction() as connection:
            connection.executemany("UPDATE orders SET due = ? WHERE seq = ?", looks)

    def ended(self, run: Outstanding, state: RunState, verdict: CommitState, description: str, now: float) -> None:
        """Store that the run has ended. If there is a token for statuses, add one to send."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE orders SET state = 'done', reason = ? WHERE seq = ? RETURNING token", (state, run.seq)
            ).fetchone()
            if row and row["token"]:
                put_notice(connection, run.seq, verdict, description, now)


_HEADS = """
    SELECT head.seq, head.due, head.deployment_id FROM
    (SELECT deployment_id, min(seq) AS seq FROM orders WHERE state = 'queued' GROUP BY deployment_id) AS first
    JOIN orders AS head ON head.seq = first.seq"""


def _order(connection: sqlite3.Connection, seq: int) -> Order:
    row = connection.execute(
        "SELECT orders.seq, orders.deployment_id, orders.name, orders.attempts, identity, digest, received, push"
        " FROM orders JOIN deliveries ON deliveries.seq = orders.delivery WHERE orders.seq = ?",
        (seq,),
    ).fetchone()
    return Order(
        seq=seq,
        key=f"{row['digest'] or row['identity']}/{row['deployment_id']}",
        deployment_id=row["deployment_id"],
        name=row["name"],
        event=event_from_json(row["push"]),
        attempts=row["attempts"],
        received=row["received"],
    )


def _drop_push(connection: sqlite3.Connection, seq: int) -> None:
    """Remove the push of a delivery if none of its orders needs it any more."""
    connection.execute(
        "UPDATE deliveries SET push = NULL WHERE seq = (SELECT delivery FROM orders WHERE seq = ?)"
        " AND NOT EXISTS (SELECT 1 FROM orders WHERE delivery = deliveries.seq AND state = 'queued')",
        (seq,),
    )
