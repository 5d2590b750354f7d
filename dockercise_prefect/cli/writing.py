"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from dockercise_prefect.errors import UsageError


def write_atomically(path: Path, text: str) -> None:
    """Write a file, and the folders above it, so that a reader never sees half of it; a link stays one.

    Raises:
        UsageError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_new(temporary, text)
        try:
            temporary.replace(target)
        except OSError:
            temporary.unlink()
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "choose another place") from error


def write_new(path: Path, text: str) -> None:
    """Write a file that there is not.

    Raises:
        FileExistsError: there is one.
    """
    file = path.open("x", encoding="utf-8", newline="")
    try:
        with file:
            file.write(text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
