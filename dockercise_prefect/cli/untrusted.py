"""What the command line reads itself, and a repository that is not trusted must not write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dockercise_prefect.errors import UsageError


def check_surroundings(root: Path, env_files: Iterable[Path]) -> None:
    """See to it that neither our own settings nor the run's variables come from the repository.

    Prefect takes settings from the working folder, its API's address among them, and sends the user's key there. A line
    `NAME` of an `--env-file` passes on a variable of this process, and a symbolic link may lead to any file.

    Args:
        root: the folder that is not trusted.
        env_files: what `--env-file` named.

    Raises:
        UsageError: the working folder, or one of the files, is in it.
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
    """Whether a path leads through a folder, by its own name or by links."""
    absolute = path.absolute()
    return any(part.resolve().is_relative_to(root.resolve()) for part in (absolute, *absolute.parents))
