"""Globs for branch names; globs with `!` exclude."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from dockercise_prefect.errors import UsageError


def takes_branch(globs: Sequence[str], branch: str) -> bool:
    r"""Whether globs include a branch. The last glob that matches decides, as with `triggers`.

    Args:
        globs: globs of fnmatch, where case counts. One that begins with `!` excludes; `\!` is for a name that begins with `!`.
        branch: name of the branch.
    """
    for glob in reversed(globs):
        takes_away = glob.startswith("!")
        if fnmatchcase(branch, glob[1:] if takes_away or glob.startswith("\\!") else glob):
            return not takes_away
    return False


def exactly(branch: str) -> str:
    """The glob that matches only this branch."""
    escaped = "".join(f"[{character}]" if character in "*?[" else character for character in branch)
    return f"\\{escaped}" if escaped.startswith("!") else escaped


def check_branches(globs: Sequence[str]) -> None:
    """Refuse globs that can match no branch.

    Raises:
        UsageError: the first glob excludes, although nothing is included yet, or a glob is empty.
    """
    if "" in globs or "!" in globs:
        raise UsageError("--push-branch: a glob is empty", "write the name of a branch, or a glob such as `release/*`")
    if globs and globs[0].startswith("!"):
        raise UsageError(
            f"--push-branch: `{globs[0]}` excludes branches, but no glob before it includes any",
            f"include branches first: --push-branch '*' --push-branch '{globs[0]}'",
        )
