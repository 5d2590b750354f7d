"""A map from the paths of a volume to data about them. It is on disk, since there may be millions of paths."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dockercise_prefect.errors import StorageError

PAGE = 1000
"""How many paths are in memory at once, both for writing and for listing."""


class PathMap:
    """Maps paths to bytes. Thread-safe.

    It is a temporary SQLite database, which is private to this process and is deleted with it.

    Raises:
        StorageError: from every method: the disk is too full.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: dict[bytes, bytes] = {}  # not yet on disk
        with _storing():
            self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._rows.execute("PRAGMA journal_mode = OFF")
            self._rows.execute("CREATE TABLE paths (path BLOB PRIMARY KEY, known BLOB) WITHOUT ROWID")
            self._rows.execute("BEGIN")  # it is never committed: otherwise, each change would be written to disk by itself

    def __setitem__(self, path: bytes, known: bytes) -> None:
        """Set the data about the path."""
        with self._lock:
            self._new[path] = known
            if len(self._new) >= PAGE:
                self._store()

    def get(self, path: bytes) -> bytes | None:
        """The data about the path; None if the path is not in the map."""
        with self._lock:
            if (known := self._new.get(path)) is not None:
                return known
            with _storing():
                row = self._rows.execute("SELECT known FROM paths WHERE path = ?", (path,)).fetchone()
            return row[0] if row else None

    def __contains__(self, path: bytes) -> bool:
        return self.get(path) is not None

    def __iter__(self) -> Iterator[bytes]:
        """All paths, sorted. Paths that are added meanwhile may be missing."""
        return (path for path, _ in self.items())

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All paths, sorted, each with the data about it. Paths that are added meanwhile may be missing."""
        page = self._page("SELECT path, known FROM paths ORDER BY path LIMIT ?", PAGE)
        while page:
            yield from page
            page = self._page("SELECT path, known FROM paths WHERE path > ? ORDER BY path LIMIT ?", page[-1][0], PAGE)

    def close(self) -> None:
        """Delete the database. No other method may be called afterwards."""
        with self._lock:
            self._rows.close()

    def _page(self, query: str, *values: object) -> list[tuple[bytes, bytes]]:
        with self._lock:
            self._store()
            with _storing():
                return self._rows.execute(query, values).fetchall()

    def _store(self) -> None:
        with _storing():
            self._rows.executemany("INSERT OR REPLACE INTO paths VALUES (?, ?)", self._new.items())
        self._new.clear()


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = "free space in the folder for temporary files, or choose another one with TMPDIR"
        raise StorageError(f"cannot store the paths of a volume: {error}", hint) from error
