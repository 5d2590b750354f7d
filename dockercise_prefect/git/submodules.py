"""Submodules: which of them have a past that can be read here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.git.ask import run_git


@dataclass(frozen=True, slots=True)
class Unread:
    """A submodule that was left out.

    Attributes:
        path: its folder, relative to the root.
        why: the rest of the sentence that begins with its path, and what helps.
    """

    path: str
    why: str


def why_unread(folder: Path, path: str, commit: str | None) -> str | None:
    """Why a submodule cannot be read, else None.

    Args:
        folder: the folder that git was asked in for its submodules.
        path: the submodule's, relative to the folder.
        commit: the one that its repository must have; None where its working tree is enough.

    Raises:
        UsageError: git is not installed.
    """
    submodule = folder / path
    # Through a link git would answer for a repository that is not the one here.
    real = os.path.join(os.path.realpath(folder), path)  # noqa: PTH118  paths as git writes them
    if not (submodule / ".git").exists() or os.path.realpath(submodule) != real:
        return "it is not checked out; `git submodule update --init` fetches it"
    top = run_git(submodule, "rev-parse", "--show-prefix")
    if top.returncode != 0:
        return f"git cannot read it: {next(iter(top.stderr.decode('utf-8', 'replace').splitlines()), 'it does not say why')}"
    if top.stdout.strip():
        # What is called `.git` there is no repository, so git took the one around it.
        return "its folder holds no repository; `git submodule update --init` fetches it"
    if commit is not None and run_git(submodule, "cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
        return f"it does not have the commit {commit[:12]}; `git fetch` in its folder may fetch it"
    return None
