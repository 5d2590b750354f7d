"""Files of a cache that were written a long time ago."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dockercise_prefect.results.places.files import storing


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file and its bytes."""

    path: Path
    size: int


def old_files(folder: Path, before: datetime) -> list[OldFile]:
    """The files directly in a folder that were written before this time. The folder need not exist."""
    found: list[OldFile] = []
    for path in sorted(folder.glob("*")):
        with suppress(FileNotFoundError):
            about = path.stat()
            if path.is_file() and datetime.fromtimestamp(about.st_mtime, UTC) < before:
                found.append(OldFile(path, about.st_size))
    return found


def remove_files(files: Sequence[OldFile]) -> None:
    """Remove the files. It does not matter if others have removed them already.

    Raises:
        StorageError: a file cannot be removed.
    """
    for file in files:
        with storing(file.path):
            file.path.unlink(missing_ok=True)
