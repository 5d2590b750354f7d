"""The stdout of one stage as a file of the record. It grows while the stage prints."""

from __future__ import annotations

import os
from pathlib import Path

from dockercise_prefect.results.places.files import FILE_MODE, storing


class OutputFile:
    """Receives the bytes that one stage prints on stdout, unchanged. Used by one thread.

    Readers of the file see written data immediately, and it is not lost if this process is killed.

    Args:
        path: the path of the file, which replaces an older one.

    Raises:
        StorageError: from every method: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with storing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        self._is_open = True

    def write(self, chunk: bytes) -> None:
        """Append the chunk, without a buffer: its content would be lost if the process is killed."""
        left = memoryview(chunk)
        with storing(self.path):
            while left:
                left = left[os.write(self._file, left) :]

    def close(self) -> None:
        """The output is complete. May be called again."""
        if self._is_open:
            self._is_open = False
            with storing(self.path):  # network file systems report a full disk only here
                os.close(self._file)
