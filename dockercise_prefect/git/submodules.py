"""Finds out which submodules have commits that can be read here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.git.run import run_git


@dataclass(frozen=True, slots=True)
class Unread:
    """A submodule that was left out.

    Attributes:
        path: its folder, relative to the root.
        why: the reason and what helps, as the rest of a sentence that begins with its path.
    """

    path: str
    why: str


def why_unread(folder: Path, path: str, commit: str | None) -> str | None:
    """Why a submodule cannot be read; None if it can be read.

    Args:
        folder: the folder in which git was asked for its submodules.
        path: the submodule's path, relative to the folder.
        commit: the commit that its repository must have; None if its working tree is enough.

    Raises:
        UsageError: git is not installed.
    """
    submodule = folder / path
    # Through a link, git would answer for another repository.
    real = os.path.join(os.path.realpath(folder), path)  # noqa: PTH118  paths as git writes them
    if not (submodule / ".git").exists() or os.path.realpath(submodule) != real:
        return "it is not checked out; `git submodule update --init` fetches it"
    top = run_git(submodule, "rev-parse", "--show-prefix")
    if top.returncode != 0:
        return f"git cannot read it: {next(iter(top.stderr.decode('utf-8', 'replace').splitlines()), 'it does not say why')}"
    if top.stdout.strip():
        # The `.git` in there is not a repository, so git used the repository around it.
        return "its folder is not a repository; `git submodule update --init` fetches it"
    if commit is not None and run_git(submodule, "cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
        return f"it does not have the commit {commit[:12]}; `git fetch` in its folder may fetch it"
    return None
