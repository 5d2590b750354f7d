"""Protects files that the command line reads itself: an untrusted repository must not provide them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dockercise_prefect.errors import UsageError


def check_surroundings(root: Path, env_files: Iterable[Path]) -> None:
    """Ensure that neither our own settings nor the variables of the run come from the repository.

    Prefect reads settings from the working folder, including the address of its API, and sends the user's key there. A line
    `NAME` of an `--env-file` passes on a variable of this process, and a symbolic link may point to any file.

    Args:
        root: the untrusted folder.
        env_files: the files of `--env-file`.

    Raises:
        UsageError: the working folder or one of the files is in it.
    """
    if _is_in(root, Path.cwd()):
        raise UsageError(
            "the current folder belongs to the untrusted pipeline, and Prefect reads its settings there (.env, prefect.toml)",
            f"change to another folder and use `-C {root}`",
        )
    for path in env_files:
        if _is_in(root, path):
            raise UsageError(
                f"--env-file: {path} belongs to the untrusted pipeline, which must not choose its own variables",
                "keep the file elsewhere",
            )


def _is_in(root: Path, path: Path) -> bool:
    """Whether a path is in a folder, directly or through links."""
    absolute = path.absolute()
    return any(part.resolve().is_relative_to(root.resolve()) for part in (absolute, *absolute.parents))
