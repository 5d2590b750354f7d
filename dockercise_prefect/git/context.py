"""Reads what a run of a checkout knows of git. Nothing that the repository's settings name is started."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.run import run_git
from dockercise_prefect.git.without_login import without_login
from dockercise_prefect.pipeline.run_context import RunContext

_BRANCHES = b"refs/heads/"

READ_COMMIT = ("rev-list", "--max-count=1", "--encoding=UTF-8", "--format=%H%n%an <%ae>%n%B")
"""The command whose output `read_commit` parses. It starts no program to check signatures, as `git log` may."""


class Commit(NamedTuple):
    """A commit: its full id, its author as `Name <address>`, and its message."""

    id: str
    author: str
    message: str


def read_context(root: Path) -> RunContext:
    """What is known of the checkout that a folder is in, for a run by hand. All is empty if the folder is in no repository.

    Args:
        root: a folder.
    """
    try:
        head = run_git(root, "symbolic-ref", "--quiet", "HEAD")
        if head.returncode not in {0, 1}:  # 1 means that HEAD is detached
            return RunContext()
        branch = head.stdout.strip().removeprefix(_BRANCHES) if head.stdout.startswith(_BRANCHES) else b""
        commit = read_commit(_printed(run_git(root, *READ_COMMIT, "HEAD", "--")))
        # Of v1.0 and v1.0-rc1, the first is the higher version.
        sort = ("-c", "versionsort.suffix=-", "for-each-ref", "--sort=-version:refname", "--format=%(refname:strip=2)")
        tags = _printed(run_git(root, *sort, "--points-at=HEAD", "refs/tags")).splitlines() if commit.id else []
        origin = _printed(run_git(root, "remote", "get-url", "origin"))
    except (UsageError, OSError):
        return RunContext()
    return RunContext(
        commit=commit.id,
        branch=branch.decode("utf-8", "replace"),
        tag=next(iter(tags), b"").decode("utf-8", "replace"),
        repository=without_login(os.fsdecode(origin).rstrip("\n")),
        author=commit.author,
        message=commit.message,
    )


def read_commit(printed: bytes) -> Commit:
    """Parse the output of `READ_COMMIT`. It is empty in a repository without a commit; then all texts are empty."""
    _, _, rest = printed.decode("utf-8", "replace").replace("\0", "").partition("\n")  # the first line is a heading
    commit, _, rest = rest.partition("\n")
    author, _, message = rest.partition("\n")
    return Commit(commit, author, message.strip("\n"))


def _printed(done: CompletedProcess[bytes]) -> bytes:
    return done.stdout if done.returncode == 0 else b""
