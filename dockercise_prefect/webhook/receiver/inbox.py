"""Stores accepted deliveries: each once, and on disk before it is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from dockercise_prefect.webhook.payload.event import Event
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.receiver.database import Database

KEPT_SECONDS = 30 * 24 * 3600
"""Seconds that a delivery is remembered."""

MOST_WAITING = 10_000
"""The most orders that may wait to be submitted; no more are accepted."""


MOST_WAITING_EACH = 500
"""The most of these that one deployment may have. So a deployment that cannot be started takes no room of others."""


class Acceptance(StrEnum):
    """What became of a delivery when it arrived."""

    QUEUED = "queued"
    REPEATED = "repeated"
    FULL = "full"


class Addressee(NamedTuple):
    """A deployment that a delivery is for."""

    deployment_id: str
    name: str


class Inbox:
    """The entrance of the queue.

    A delivery is recognized by the host's id. If the host signs the body but not the id, it is recognized by the body's digest
    too. So an attacker who captured a request cannot have it run again under another id. It is recognized separately for each
    deployment, because one push may arrive through two webhooks with two secrets, and because a deployment may be registered
    before a delivery is sent again.
    """

    def __init__(self, database: Database, most_waiting: int = MOST_WAITING, each: int = MOST_WAITING_EACH) -> None:
        self._database = database
        self._each = each
        self._most_waiting = most_waiting

    def accept(
        self, identity: str, digest: str | None, event: Event, addressees: Sequence[Addressee], now: float
    ) -> Acceptance:
        """Store a delivery. If this returns QUEUED, it is on disk.

        FULL means that it is not stored, or is stored only for those addressees that have room. If the delivery is sent again,
        it can be accepted for the others.

        Args:
            identity: kind and id of the delivery.
            digest: digest of its body if only the body is signed; else None, because the same commits may be pushed again.
            event: the push or the pull request that it holds.
            addressees: the deployments that it is for; each gets one order.
            now: seconds since 1970.

        Raises:
            sqlite3.Error: the delivery cannot be stored.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT deployment_id FROM orders JOIN deliveries ON deliveries.seq = orders.delivery"
                " WHERE identity = ? OR digest = ?",
                (identity, digest),
            )
            known = {row["deployment_id"] for row in rows}
            new = [one for one in addressees if one.deployment_id not in known]
            if not new:
                return Acceptance.REPEATED
            roomy = [one for one in new if _waiting_for(connection, one) < self._each]
            if not roomy or _waiting(connection) >= self._most_waiting:
                return Acceptance.FULL
            delivery = connection.execute(
                "INSERT INTO deliveries (identity, digest, kind, repository, branch, commit_id, received, push)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    identity,
                    digest,
                    event.kind,
                    event.repository,
                    event.name,
                    event.after,
                    now,
                    event.to_json(),
                ),
            ).lastrowid
            if isinstance(event, PullRequest):
                _overtake(connection, event, roomy)
            connection.executemany(
                "INSERT INTO orders (delivery, deployment_id, name, due) VALUES (?, ?, ?, ?)",
                [(delivery, one.deployment_id, one.name, now) for one in roomy],
            )
        return Acceptance.QUEUED if roomy == new else Acceptance.FULL

    def waiting(self) -> int:
        """The number of orders that are not submitted yet.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        with self._database.reading() as connection:
            return _waiting(connection)

    @property
    def full(self) -> bool:
        """Whether no more orders are accepted now."""
        return self.waiting() >= self._most_waiting

    def forget(self, now: float) -> int:
        """Forget old deliveries, whatever became of them, but not those with orders that still wait; returns how many.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        with self._database.transaction() as connection:
            return connection.execute(
                "DELETE FROM deliveries WHERE received < ?"
                " AND NOT EXISTS (SELECT 1 FROM orders WHERE delivery = deliveries.seq AND state = 'queued')",
                (now - KEPT_SECONDS,),
            ).rowcount


def _overtake(connection: sqlite3.Connection, request: PullRequest, addressees: Sequence[Addressee]) -> None:
    """Give up the orders of earlier states of a pull request that no run was started for."""
    connection.executemany(
        "UPDATE orders SET state = 'done', reason = 'overtaken' WHERE state = 'queued' AND deployment_id = ? AND delivery IN"
        " (SELECT seq FROM deliveries WHERE kind = ? AND repository = ? AND branch = ?)",
        [(one.deployment_id, request.kind, request.repository, request.name) for one in addressees],
    )
    connection.execute(
        "UPDATE deliveries SET push = NULL WHERE kind = ? AND repository = ? AND branch = ?"
        " AND seq IN (SELECT delivery FROM orders)"
        " AND NOT EXISTS (SELECT 1 FROM orders WHERE delivery = deliveries.seq AND state = 'queued')",
        (request.kind, request.repository, request.name),
    )


def _waiting(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM orders WHERE state = 'queued'").fetchone()
    return int(count)


def _waiting_for(connection: sqlite3.Connection, one: Addressee) -> int:
    query = "SELECT count(*) FROM orders WHERE state = 'queued' AND deployment_id = ?"
    (count,) = connection.execute(query, (one.deployment_id,)).fetchone()
    return int(count)
