"""What one stage printed on stdout, as a file of the record: it grows while the stage prints."""

from __future__ import annotations

import os
from pathlib import Path

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.files import FILE_MODE, storing


def output_file(stage: StageName) -> str:
    """The file of a record with exactly what the stage printed on stdout."""
    return f"{stage}.out"


class OutputFile:
    """Takes what one stage prints on stdout, byte for byte. Used by one thread.

    What was written is there at once for whoever reads the file, and stays when this process is killed.

    Args:
        path: of the file, which replaces an older one.

    Raises:
        StorageError: from every method: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with storing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        self._is_open = True

    def write(self, chunk: bytes) -> None:
        """Append, without a buffer: what is in one is lost with the process."""
        left = memoryview(chunk)
        with storing(self.path):
            while left:
                left = left[os.write(self._file, left) :]

    def close(self) -> None:
        """No more follows; may be called again."""
        if self._is_open:
            self._is_open = False
            with storing(self.path):  # network file systems report a full disk only here
                os.close(self._file)
