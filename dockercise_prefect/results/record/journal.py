"""What another process has to know to finish a run whose process has died (docs/adr/0039).

The journal is a file in the record of the run on this machine. It grows while the run goes on, and is removed at its end. No
text of a variable is in it. Its name begins with a dot, so it is not sent to a bucket.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from dockercise_prefect.results.places.files import FILE_MODE, storing

FILE = ".journal"


class Entry(StrEnum):
    """The kinds of entries."""

    RUN = "run"
    """How the run goes (`run_facts.RunFacts`). The first entry."""

    NAMES = "variables"
    """For each stage, the names of its variables from outside that were set."""

    NAMES_OF_SECRETS = "secret variables"
    """For each stage, the names of its variables whose texts came from a source of secrets."""

    SHARED = "shared volumes"
    """The volumes of the code and of the AWS folder, and the digest of the code."""

    RESULT = "result"
    """The result of the last attempt at a stage (`job.JobResult`)."""

    CANCELLED = "cancelled"
    """Somebody asked the run to end: by what, and when."""


class BusyError(Exception):
    """Another process is finishing the run."""


class Journal:
    """The journal of one run. Thread-safe.

    Args:
        folder: the folder of the record on this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def note(self, what: Entry, data: Any) -> None:
        """Add an entry, which is there as soon as this returns, even if the process is killed then.

        Args:
            what: the kind of the entry.
            data: JSON values.

        Raises:
            StorageError: the entry cannot be written.
        """
        line = b"\n" + json.dumps([what, data]).encode() + b"\n"  # first, the end of a line that a dead process has begun
        with storing(self._path):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
            try:
                os.write(file, line)
            finally:
                os.close(file)

    def entries(self) -> list[tuple[str, Any]]:
        """All entries; an empty list without a journal. A line that the process did not finish writing is left out."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []
        found: list[tuple[str, Any]] = []
        for line in lines:
            with suppress(ValueError):
                what, data = json.loads(line)
                found.append((what, data))
        return found

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Inside, no other process finishes the run.

        Raises:
            BusyError: another process does so, or has done so.
        """
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)  # network file systems lock only what can be written
        except OSError as error:
            raise BusyError from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._path.exists():
                raise BusyError
            yield
        except BlockingIOError as error:
            raise BusyError from error
        finally:
            os.close(file)

    def remove(self) -> None:
        """The run has ended."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
