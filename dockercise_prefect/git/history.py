"""Makes a repository of its own with a part of another one's history: commits, tags and an index, and nothing else.

It has no remote, no hooks and no settings of anybody. Nothing that the other repository's settings name is started.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from subprocess import CompletedProcess

from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.run import run_git

UNREACHABLE = 2**31 - 1
"""The depth that git takes for all of a history (its documentation of `fetch --depth`)."""

_BRANCHES = "refs/heads/"
_WITHOUT = "remove `code: {git: true}` from `meta`"

_SETTINGS = """\
[safe]
\tdirectory = *
\tbareRepository = all
[core]
\tlogAllRefUpdates = false
[fetch]
\tunpackLimit = 1
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
"""The user's settings, and those of the system, are replaced by these. Git's own child processes get them too."""


def write_history(root: Path, work: Path, depth: int) -> None:
    """Make a repository in an empty folder, with HEAD at the root's commit and on its branch, if it is on one.

    Its index is that commit. The folder has no files of the commit. Tags are those of commits that it has.

    Args:
        root: the top folder of a work tree.
        work: an empty folder.
        depth: how many commits deep the history is; 0 for all of it. If the root's own history is shorter, it is all of that.

    Raises:
        UsageError: the root is not the top folder of a work tree, has no commit, or is a partial clone; or git fails.
    """
    commit, branch = _head(root)
    _refuse_partial(root)
    settings = work / "settings"
    settings.write_text(_SETTINGS, encoding="ascii")
    own = {"GIT_CONFIG_GLOBAL": str(settings), "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": "file"}

    def git(*arguments: str) -> bytes:
        return _printed(run_git(work, *arguments, environment=own))

    kind = _printed(run_git(root, "rev-parse", "--show-object-format")).decode("ascii").strip()
    git("init", "--quiet", "--template=", f"--object-format={kind}", f"--initial-branch={branch or 'main'}")
    # A ref to store the commit in makes git fetch the tags of the history too.
    ref = f"{_BRANCHES}{branch}" if branch else "refs/dockercise/head"
    deep = [f"--depth={depth or UNREACHABLE}", "--update-shallow"]
    plain = ["--quiet", "--update-head-ok", "--no-write-fetch-head", "--no-recurse-submodules"]
    git("fetch", *plain, *deep, "--", str(root), f"+{commit}:{ref}")
    if not branch:
        git("update-ref", "--no-deref", "HEAD", commit)
        git("update-ref", "-d", ref)
    git("pack-refs", "--all")
    git("read-tree", "HEAD")
    settings.unlink()


def leave_out(work: Path, present: Collection[str], kept_at: Path) -> None:
    """Do not count files as deleted that the code leaves out although they exist.

    Args:
        work: a folder in which `write_history` made a repository.
        present: the paths of the code's files and folders.
        kept_at: the folder that the code was taken from. A file that is missing there too is a deleted file.

    Raises:
        UsageError: git fails.
    """
    tracked = (os.fsdecode(path) for path in _printed(run_git(work, "ls-files", "-z")).split(b"\0") if path)
    missing = [path for path in tracked if path not in present and os.path.lexists(kept_at / path)]
    if missing:
        given = b"".join(os.fsencode(path) + b"\0" for path in missing)
        _printed(run_git(work, "update-index", "-z", "--skip-worktree", "--stdin", given=given))


def _head(root: Path) -> tuple[str, str]:
    """The commit and the branch of the root; the branch is empty if HEAD is detached."""
    above = run_git(root, "rev-parse", "--show-prefix")
    if above.returncode != 0:
        said = next(iter(above.stderr.decode("utf-8", "replace").splitlines()), "")
        hint = f"{said}; `git init` makes a repository of it; or {_WITHOUT}"
        raise UsageError(f"the code must be a git repository, but git cannot read one in {root}", hint)
    if prefix := os.fsdecode(above.stdout).strip("\n"):
        message = f"the code must be a whole git repository, but {root} is the folder `{prefix}` of one"
        raise UsageError(message, f"run the pipeline from the top folder of the repository; or {_WITHOUT}")
    found = run_git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if found.returncode != 0:
        raise UsageError(f"the git repository in {root} has no commit yet", f"commit something; or {_WITHOUT}")
    branch = os.fsdecode(run_git(root, "symbolic-ref", "--quiet", "HEAD").stdout).strip("\n")
    return found.stdout.decode("ascii").strip(), branch.removeprefix(_BRANCHES) if branch.startswith(_BRANCHES) else ""


def _refuse_partial(root: Path) -> None:
    """Refuse a partial clone: git would fetch what is missing, with commands from its settings."""
    promised = run_git(root, "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$")
    if promised.returncode == 0:
        message = f"the git repository in {root} is a partial clone, so its history cannot be copied"
        raise UsageError(message, f"clone it without `--filter`; or {_WITHOUT}")


def _printed(done: CompletedProcess[bytes]) -> bytes:
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
        raise UsageError(f"git cannot copy the history of the code: {said}", "`git fsck` in the root shows what is wrong")
    return done.stdout
