"""The file in which the receiver stores accepted deliveries, so that none is lost if the process is killed."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dockercise_prefect.errors import WebhookError

VERSION = 2
"""The version of the tables. Increase it when they change."""

_TABLES = """
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT NOT NULL,          -- kind and the host's id
    digest TEXT,                     -- of the body, where that alone is signed
    kind TEXT NOT NULL,
    repository TEXT NOT NULL,
    branch TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    received REAL NOT NULL,
    push TEXT                        -- as JSON; NULL when nothing needs it any more
);
CREATE INDEX by_identity ON deliveries (identity);
CREATE INDEX by_digest ON deliveries (digest);
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    deployment_id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    flow_run_id TEXT,
    url TEXT,
    site TEXT,                       -- where statuses are sent, by the registration
    token TEXT,                      -- the Secret block's name
    reason TEXT,
    submitted REAL
);
CREATE INDEX queued ON orders (deployment_id, seq) WHERE state = 'queued';
CREATE INDEX outstanding ON orders (due) WHERE state = 'submitted';
CREATE INDEX of_delivery ON orders (delivery);
CREATE TABLE notices (
    order_seq INTEGER PRIMARY KEY REFERENCES orders (seq) ON DELETE CASCADE,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    since REAL NOT NULL,
    due REAL NOT NULL
);
CREATE TABLE registrations (deployment_id TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE secrets (block TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_UPGRADES = {
    1: (
        "ALTER TABLE orders ADD COLUMN site TEXT",
        # The sites came from payloads. No status is sent to those any more.
        "DELETE FROM notices",
        "UPDATE orders SET token = NULL",
        "UPDATE deliveries SET push = json_remove(push, '$.site') WHERE push IS NOT NULL",
    ),
}
"""The statements that turn the tables of a version into those of the next."""


class Database:
    """One connection for all threads, with one transaction at a time.

    The file holds secrets of webhooks, so only its owner may read it. A transaction that ended without an error is on disk. It
    is not lost if the process ends or the machine loses power.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, and create it if it does not exist.

        Raises:
            WebhookError: the file cannot be opened, or is not a receiver's file.
        """
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.chmod(0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.row_factory = sqlite3.Row
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise WebhookError(
                f"cannot store deliveries in {path}: {error}",
                "free disk space or fix its permissions, or move the file away to start a new one",
            ) from error

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
            elif version > VERSION:
                raise sqlite3.DatabaseError(f"it was written by a newer version ({version}, not {VERSION})")
            else:
                for earlier in range(version, VERSION):
                    for statement in _UPGRADES[earlier]:
                        connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the statements of the body as one transaction. It is on disk at the end, or undone if there is an error."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # If the disk is full, SQLite has already undone the transaction, and a second rollback is an error.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For statements that only read. No other statement runs while the body runs."""
        with self._lock:
            yield self._connection

    def close(self) -> None:
        """Close the connection. No statement may follow."""
        with self._lock:
            self._connection.close()
