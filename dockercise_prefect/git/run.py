"""Runs git in a user's checkout. Nothing is written there, and nothing that the repository's settings name is started."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dockercise_prefect.errors import UsageError

_OF_ANOTHER_REPOSITORY = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_CEILING_DIRECTORIES",
    }
)
"""Variables that git's hooks set, or that hide repositories. With them, git would not use the repository of its folder."""


class GitMissingError(UsageError):
    """Git is not installed."""


def own_environment() -> dict[str, str]:
    """This process's environment, without variables that make git use another repository. Git's other variables stay."""
    return {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}


def in_repository(folder: Path) -> bool:
    """Whether the folder, or one above it, holds a `.git`; the path must be absolute."""
    return any((above / ".git").exists() for above in (folder, *folder.parents))


def run_git(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    index: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder. It is not an error if git fails.

    Args:
        folder: the folder in which git runs: the root, or a submodule's folder.
        arguments: the command and its arguments.
        given: the standard input of git.
        index: the index to use instead of the repository's own.
        environment: variables in addition to this process's own.

    Raises:
        GitMissingError: git is not installed.
    """
    variables = {**own_environment(), **(environment or {})}
    if index is not None:
        variables["GIT_INDEX_FILE"] = str(index)
    # No lock and no refreshed index: nothing is written to the checkout. No monitor: a repository's settings start no program.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.run(command, cwd=folder, env=variables, input=given, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise GitMissingError("git is not installed", "install git") from error
