"""Deliveries that were accepted: each once, and on disk before it is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from dockercise_prefect.webhook.payload.push import Push
from dockercise_prefect.webhook.receiver.database import Database

KEPT_SECONDS = 30 * 24 * 3600
"""How long a delivery is remembered."""

MOST_WAITING = 10_000
"""Orders that wait to be submitted; more are not accepted."""


MOST_WAITING_EACH = 500
"""Of them, those of one deployment: one that cannot be started fills no room of others."""


class Acceptance(StrEnum):
    """What became of a delivery at the door."""

    QUEUED = "queued"
    REPEATED = "repeated"
    FULL = "full"


class Addressee(NamedTuple):
    """A deployment that a delivery is for."""

    deployment_id: str
    name: str


class Inbox:
    """The door of the queue.

    A delivery is known by the host's id. Where the host signs the body and not the id, it is known by the body's digest too:
    whoever has captured a request cannot have it run again under another id. It is known for each deployment apart, since
    one push may come by two webhooks with two secrets, and a deployment may be registered before a delivery is sent again.
    """

    def __init__(self, database: Database, most_waiting: int = MOST_WAITING, each: int = MOST_WAITING_EACH) -> None:
        self._database = database
        self._each = each
        self._most_waiting = most_waiting

    def accept(self, identity: str, digest: str | None, push: Push, addressees: Sequence[Addressee], now: float) -> Acceptance:
        """Keep a delivery; when this returns QUEUED it is on disk.

        FULL means that it is not, or only for those addressees that have room: sent again, it can come in for the others.

        Args:
            identity: kind and id of the delivery.
            digest: of its body, where that alone is signed; else None, as the same commits may be pushed again.
            push: what it says.
            addressees: for whom it is, one order each.
            now: seconds since 1970.

        Raises:
            sqlite3.Error: it cannot be kept.
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
                    push.kind,
                    push.repository,
                    push.branch,
                    push.after,
                    now,
                    push.to_json(),
                ),
            ).lastrowid
            connection.executemany(
                "INSERT INTO orders (delivery, deployment_id, name, due) VALUES (?, ?, ?, ?)",
                [(delivery, one.deployment_id, one.name, now) for one in roomy],
            )
        return Acceptance.QUEUED if roomy == new else Acceptance.FULL

    def waiting(self) -> int:
        """Orders that are not submitted yet.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        with self._database.reading() as connection:
            return _waiting(connection)

    @property
    def full(self) -> bool:
        """Whether no more is accepted now."""
        return self.waiting() >= self._most_waiting

    def forget(self, now: float) -> int:
        """Remove what came long ago, whatever became of it, orders that still wait aside; returns how many.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        with self._database.transaction() as connection:
            return connection.execute(
                "DELETE FROM deliveries WHERE received < ?"
                " AND NOT EXISTS (SELECT 1 FROM orders WHERE delivery = deliveries.seq AND state = 'queued')",
                (now - KEPT_SECONDS,),
            ).rowcount


def _waiting(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM orders WHERE state = 'queued'").fetchone()
    return int(count)


def _waiting_for(connection: sqlite3.Connection, one: Addressee) -> int:
    query = "SELECT count(*) FROM orders WHERE state = 'queued' AND deployment_id = ?"
    (count,) = connection.execute(query, (one.deployment_id,)).fetchone()
    return int(count)
