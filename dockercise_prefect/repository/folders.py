"""Folders that only their owner can read."""

from __future__ import annotations

from pathlib import Path

from dockercise_prefect.errors import RepositoryError


def make_folder(path: Path) -> None:
    """Make the folder and those above it that are missing.

    Raises:
        RepositoryError: the folder cannot be made.
    """
    try:
        for folder in [*reversed(path.parents), path]:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        hint = "choose another folder with DOCKERCISE_DATA"
        raise RepositoryError(f"cannot create {path}: {error.strerror}", hint) from error
