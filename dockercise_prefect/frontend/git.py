"""A repository's past, read without touching its checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dockercise_prefect.errors import DefinitionError, Place, UsageError
from dockercise_prefect.frontend.discover import MAX_BYTES, OF_ANOTHER_REPOSITORY, SKIPPED, SUFFIXES, Source, shown
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import Code

_FILES = {b"100644", b"100755"}
"""Modes of ordinary files: not links, not submodules."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and how the user called it."""

    name: str
    commit: str


def find_revision(root: Path, name: str) -> Revision:
    """The commit that a name stands for in the root's repository.

    Args:
        root: a folder, the repository's or one in it.
        name: a branch, a tag, `HEAD~1`, the beginning of a commit's id.

    Raises:
        UsageError: the root is in no repository, there is no git, or the name stands for no commit.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is no folder", "name the folder that holds the *.dockercise.yaml files")
    if _git(root, "rev-parse", "--git-dir").returncode != 0:
        raise UsageError(f"{root} is in no git repository, so there is no past to compare with", "`git init` makes one")
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode != 0 or not name:
        raise UsageError(f"`{name}` is no revision of this repository", "`git log --oneline` and `git branch --all` list some")
    return Revision(name, found.stdout.decode("ascii").strip())


def sources_at(root: Path, revision: Revision) -> list[Source]:
    """The pipeline's files below the root as they were in a commit, in path order.

    The rules are those of `read_sources`; links and submodules are not followed.

    Raises:
        DefinitionError: files are too big (DK005).
        UsageError: git cannot read them.
    """
    findings = Findings()
    listing = _answer(root, "ls-tree", "-r", "-z", "-l", revision.commit)
    found: list[tuple[str, bytes]] = []
    for entry in filter(None, listing.split(b"\0")):
        facts, _, raw = entry.partition(b"\t")
        mode, _, blob, size = facts.split()
        path = os.fsdecode(raw)
        if mode not in _FILES or not path.endswith(SUFFIXES) or SKIPPED.intersection(path.split("/")):
            continue
        if int(size) > MAX_BYTES:
            findings.error(Code.TOO_BIG, f"this file had {int(size):,} bytes", Place(shown(path), 1, 1))
        found.append((path, blob))
    if findings.failed:
        raise DefinitionError(findings.in_order())
    found.sort(key=lambda file: file[0].split("/"))
    contents = _contents(root, [blob for _, blob in found])
    return [Source(shown(path), data) for (path, _), data in zip(found, contents, strict=True)]


def changed_files(root: Path, revision: Revision) -> list[str]:
    """Paths below the root, relative to it, that differ from a commit: changed, deleted, new and neither tracked nor ignored.

    A file that was renamed counts under both names.

    Raises:
        UsageError: git cannot say.
    """
    compare = (
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--relative",
        revision.commit,
        "--",
    )
    with _index_of_its_own(root) as index:
        changed = _answer(root, *compare, index=index)
    untracked = _answer(root, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({os.fsdecode(path) for path in (changed + untracked).split(b"\0") if path})


def _contents(root: Path, blobs: list[bytes]) -> list[bytes]:
    if not blobs:
        return []
    answer = _answer(root, "cat-file", "--batch", given=b"\n".join(blobs) + b"\n")
    contents = []
    start = 0
    for _ in blobs:
        head = answer.index(b"\n", start)
        size = int(answer[start:head].split()[-1])
        contents.append(answer[head + 1 : head + 1 + size])
        start = head + 1 + size + 1
    return contents


@contextmanager
def _index_of_its_own(root: Path) -> Iterator[Path | None]:
    """A copy of the repository's index: `git diff` writes down there which files have not changed after all.

    With its time: a file that is as old as the index is one that git compares by what it holds.
    """
    index = root / os.fsdecode(_answer(root, "rev-parse", "--git-path", "index").rstrip(b"\n"))
    with TemporaryDirectory(prefix="dockercise-") as folder:
        yield Path(shutil.copy2(index, Path(folder) / "index")) if index.exists() else None


def _answer(root: Path, *arguments: str, given: bytes = b"", index: Path | None = None) -> bytes:
    done = _git(root, *arguments, given=given, index=index)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
        raise UsageError(f"git cannot read this repository: {said}", "`git status` in the root shows what is wrong")
    return done.stdout


def _git(root: Path, *arguments: str, given: bytes = b"", index: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    # What hooks set would make git look elsewhere than at the root; other settings of git's own are the user's.
    environment = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    # No lock, no refreshed index: the checkout is never written to. No monitor: a repository's settings start no program.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.run(command, cwd=root, env=environment, input=given, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise UsageError("git is not installed, so there is no past to compare with", "install git") from error
