"""Commit statuses that are still to be sent: one at most for each order, the newest."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.hosts.statuses import LONGEST_DESCRIPTION, CommitState, CommitStatus
from dockercise_prefect.webhook.receiver.database import Database

CONTEXT = "dockercise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A status, and where it goes.

    Attributes:
        order: the number of its order.
        kind: the host's dialect.
        site: where the host's pages are.
        token: name of the Secret block with the token.
        status: what the host is to show.
        attempts: how often it was tried.
        since: when it was first to be sent, in seconds since 1970.
    """

    order: int
    kind: HostKind
    site: str
    token: str
    status: CommitStatus
    attempts: int
    since: float


class Notices:
    """What git hosts have not been told yet. Statuses of one order are sent one at a time, so that the last one stays."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._busy: set[int] = set()

    def claim(self, now: float) -> Notice | None:
        """Take the next one that is due; no other thread gets it until `release`. None if there is none now."""
        with self._database.reading() as connection:
            for row in connection.execute(_WAITING + " WHERE notices.due <= ? ORDER BY notices.due", (now,)):
                if row["order_seq"] not in self._busy:
                    notice = _notice(row)
                    self._busy.add(notice.order)
                    return notice
        return None

    def release(self, notice: Notice) -> None:
        """Let a newer one of the same order follow."""
        with self._database.reading():
            self._busy.discard(notice.order)

    def next_due(self) -> float | None:
        """When there is something to claim, in seconds since 1970; None when nothing waits."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT order_seq, due FROM notices").fetchall()
            return min((row["due"] for row in rows if row["order_seq"] not in self._busy), default=None)

    def settled(self, notice: Notice) -> None:
        """It was sent, or never will be; a newer one that came meanwhile stays."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM notices WHERE order_seq = ? AND state = ?", (notice.order, notice.status.state))

    def later(self, notice: Notice, due: float) -> None:
        """Try again; a newer one that came meanwhile is due as it was."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE notices SET attempts = attempts + 1, due = ? WHERE order_seq = ? AND state = ?",
                (due, notice.order, notice.status.state),
            )


def put_notice(connection: sqlite3.Connection, order: int, state: CommitState, description: str, now: float) -> None:
    """Have a status sent, in the caller's transaction; it takes the place of one that was not sent yet."""
    connection.execute(
        "INSERT OR REPLACE INTO notices (order_seq, state, description, since, due) VALUES (?, ?, ?, ?, ?)",
        (order, state, description[:LONGEST_DESCRIPTION], now, now),
    )


_WAITING = """
    SELECT order_seq, notices.state, description, notices.attempts, since, kind, repository, orders.site, commit_id, url, token,
    name
    FROM notices JOIN orders ON orders.seq = order_seq JOIN deliveries ON deliveries.seq = orders.delivery"""


def _notice(row: sqlite3.Row) -> Notice:
    status = CommitStatus(
        repository=row["repository"],
        commit=row["commit_id"],
        state=CommitState(row["state"]),
        description=row["description"],
        target_url=row["url"],
        context=f"{CONTEXT}/{row['name'].rpartition('/')[2]}",
    )
    return Notice(
        order=row["order_seq"],
        kind=HostKind(row["kind"]),
        site=row["site"],
        token=row["token"],
        status=status,
        attempts=row["attempts"],
        since=row["since"],
    )
