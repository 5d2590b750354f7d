"""Writes files completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from dockercise_prefect.errors import UsageError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file, and create the folders above it. A reader never sees an incomplete file. A link stays a link.

    Text is written as UTF-8.

    Raises:
        UsageError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_new(temporary, content)
        try:
            temporary.replace(target)
        except OSError:
            temporary.unlink()
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "choose another place") from error


def write_new(path: Path, content: str | bytes) -> None:
    """Write a new file.

    Raises:
        FileExistsError: the file exists.
    """
    file = path.open("xb")
    try:
        with file:
            file.write(content.encode() if isinstance(content, str) else content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
