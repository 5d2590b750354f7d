"""Asks git without changing the checkout, and finds the commits that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.run import run_git

SHORT_COMMIT = 12
"""Digits of a commit's id that are shown."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and the name that the user gave for it."""

    name: str
    commit: str


def find_revision(root: Path, name: str) -> Revision:
    """The commit that a name stands for in the root's repository.

    Args:
        root: the folder of the repository, or a folder in it.
        name: a branch, a tag, `HEAD~1`, or the beginning of a commit's id.

    Raises:
        UsageError: the root is not in a repository, git is not installed, or the name stands for no commit.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder", "name the folder that contains the *.dockercise.yaml files")
    if run_git(root, "rev-parse", "--git-dir").returncode != 0:
        raise UsageError(f"{root} is not in a git repository, so there is nothing to compare with", "`git init` creates one")
    found = run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode != 0 or not name:
        if run_git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
            message = f"`{name}` is not in this shallow clone, which has only the newest commits"
            raise UsageError(message, "`git fetch --unshallow` fetches the rest; in GitHub Actions, set `fetch-depth: 0`")
        raise UsageError(
            f"`{name}` is not a revision of this repository", "`git log --oneline` and `git branch --all` list some"
        )
    return Revision(name, found.stdout.decode("ascii").strip())


def current_commit(root: Path, *, compared: bool = True) -> str | None:
    """The commit that the root's files are of: `1f0c2a9be37d`, with `-dirty` if tracked files differ from it.

    None if there is no git, no repository, or no commit yet. That is not an error, because nothing depends on the commit.

    Args:
        root: a folder.
        compared: whether to compare files with the commit, which starts the filters that the repository's settings name.
    """
    dirty = ["--dirty"] if compared else []
    try:
        found = run_git(root, "describe", "--always", "--exclude=*", f"--abbrev={SHORT_COMMIT}", *dirty)
    except (UsageError, OSError):
        return None
    return found.stdout.decode("ascii", "replace").strip() or None if found.returncode == 0 else None


def ask_git(folder: Path, *arguments: str, given: bytes = b"", index: Path | None = None) -> bytes:
    """Run git in a folder and return what it prints.

    Args:
        folder: the folder in which git runs: the root, or a submodule's folder.
        arguments: the command and its arguments.
        given: the standard input of git.
        index: the index to use instead of the repository's own.

    Raises:
        UsageError: git fails, or is not installed.
    """
    done = run_git(folder, *arguments, given=given, index=index)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
        raise unreadable(said)
    return done.stdout


def unreadable(why: str) -> UsageError:
    """The error that says that a repository's past cannot be read."""
    return UsageError(f"git cannot read this repository: {why}", "`git status` in the root shows what is wrong")
