"""Commit statuses that still have to be sent: for each order at most one, the newest."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.hosts.statuses import LONGEST_DESCRIPTION, CommitState, CommitStatus
from dockercise_prefect.webhook.payload.pull_request import PULL_REQUEST_NAME
from dockercise_prefect.webhook.receiver.database import Database

CONTEXT = "dockercise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A status, and where to send it.

    Attributes:
        order: the number of its order.
        kind: the kind of host.
        site: the address of the host's pages.
        token: name of the Secret block with the token.
        status: the status that the host shows.
        attempts: how often it was tried.
        since: when it was first due, in seconds since 1970.
    """

    order: int
    kind: HostKind
    site: str
    token: str
    status: CommitStatus
    attempts: int
    since: float


class Notices:
    """The statuses that are not sent yet. Those of one order are sent one at a time, so that the host keeps the last one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._busy: set[int] = set()

    def claim(self, now: float) -> Notice | None:
        """Take the next status that is due; no other thread gets it until `release`. None if no status is due now."""
        with self._database.reading() as connection:
            for row in connection.execute(_WAITING + " WHERE notices.due <= ? ORDER BY notices.due", (now,)):
                if row["order_seq"] not in self._busy:
                    notice = _notice(row)
                    self._busy.add(notice.order)
                    return notice
        return None

    def release(self, notice: Notice) -> None:
        """Release a status, so that a newer one of the same order can follow."""
        with self._database.reading():
            self._busy.discard(notice.order)

    def next_due(self) -> float | None:
        """When the next status is due, in seconds since 1970; None if none waits."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT order_seq, due FROM notices").fetchall()
            return min((row["due"] for row in rows if row["order_seq"] not in self._busy), default=None)

    def outstanding(self) -> int:
        """How many statuses are not sent yet, with those of runs that have not ended.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        with self._database.reading() as connection:
            (count,) = connection.execute(
                "SELECT (SELECT count(*) FROM notices)"
                " + (SELECT count(*) FROM orders WHERE state = 'submitted' AND token IS NOT NULL)"
            ).fetchone()
        return int(count)

    def settled(self, notice: Notice) -> None:
        """Remove a status that was sent or is given up. A newer one that was added meanwhile stays."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM notices WHERE order_seq = ? AND state = ?", (notice.order, notice.status.state))

    def later(self, notice: Notice, due: float) -> None:
        """Try again at that time. A newer status that was added meanwhile keeps its own time."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE notices SET attempts = attempts + 1, due = ? WHERE order_seq = ? AND state = ?",
                (due, notice.order, notice.status.state),
            )


def put_notice(connection: sqlite3.Connection, order: int, state: CommitState, description: str, now: float) -> None:
    """Add a status to send, in the caller's transaction. It replaces one of the same order that was not sent yet."""
    connection.execute(
        "INSERT OR REPLACE INTO notices (order_seq, state, description, since, due) VALUES (?, ?, ?, ?, ?)",
        (order, state, description[:LONGEST_DESCRIPTION], now, now),
    )


_WAITING = """
    SELECT order_seq, notices.state, description, notices.attempts, since, kind, repository, orders.site, commit_id, url, token,
    name, branch
    FROM notices JOIN orders ON orders.seq = order_seq JOIN deliveries ON deliveries.seq = orders.delivery"""


def _context(deployment: str, event: str) -> str:
    """The name of the status. A commit may have one of a push and one of a pull request."""
    return f"{CONTEXT}/{deployment}{'/pull-request' if event.startswith(PULL_REQUEST_NAME) else ''}"


def _notice(row: sqlite3.Row) -> Notice:
    status = CommitStatus(
        repository=row["repository"],
        commit=row["commit_id"],
        state=CommitState(row["state"]),
        description=row["description"],
        target_url=row["url"],
        context=_context(row["name"].rpartition("/")[2], row["branch"]),
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
