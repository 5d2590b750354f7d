"""The log of one stage as a file. It grows while the stage prints, and a long log is compressed."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.files import FILE_MODE, storage_error
from dockercise_prefect.results.record.log_packer import LogPacker

LONGEST_PLAIN = 1_048_576
"""The maximum size in bytes of a log that stays plain. A longer log is compressed."""


class SilentLog:
    """A `LogWriter` that stores nothing, for a stage with sensitive output."""

    def write(self, chunk: bytes) -> None:
        """See `LogWriter`."""

    def close(self) -> None:
        """See `LogWriter`."""


class LogFile:
    """A `LogWriter`.

    Args:
        path: the path of the file. New output is added after the existing content.
        packer: compresses a long log after it is closed.

    Attributes:
        failure: the first error; None if there was no error.
        kept: the name of the file that has the log, when it is known.
    """

    def __init__(self, path: Path, packer: LogPacker) -> None:
        self.failure: StorageError | None = None
        self.kept: Future[str] = Future()
        self._path = path
        self._packer = packer
        self._file: int | None = None
        self._size = 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            self.failure = storage_error(path, error)
            self.kept.set_result(path.name)

    def write(self, chunk: bytes) -> None:
        """See `LogWriter`. There is no buffer, because its content would be lost if the process is killed."""
        if self._file is None:
            return
        try:
            left = memoryview(chunk)
            while left:
                written = os.write(self._file, left)
                self._size += written
                left = left[written:]
        except OSError as error:
            self.failure = storage_error(self._path, error)
            self.close()

    def close(self) -> None:
        """See `LogWriter`."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            os.close(file)
        except OSError as error:  # network file systems report a full disk only here
            self.failure = self.failure or storage_error(self._path, error)
        if self.failure is None and self._size > LONGEST_PLAIN:
            self._packer.pack(self._path, self.kept)
        else:
            self.kept.set_result(self._path.name)
