"""What differs between a commit and the working tree."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dockercise_prefect.git.ask import Revision, ask_git
from dockercise_prefect.git.submodules import Unread, why_unread
from dockercise_prefect.git.tree import submodules_at


@dataclass(frozen=True, slots=True)
class Changes:
    """Changed paths relative to the root, in order, and the submodules that could not be read."""

    paths: Sequence[str]
    unread: Sequence[Unread]


def changed_files(root: Path, revision: Revision) -> Changes:
    """What differs below the root from a commit: changed files, deleted files, and new files that are not tracked or ignored.

    Submodules are compared too, with the commits that were recorded for them. A submodule that cannot be read counts as a
    changed path itself if the commit recorded for it differs or is gone. A renamed file counts under both names.

    Raises:
        UsageError: git fails.
    """
    paths: set[str] = set()
    unread: list[Unread] = []
    waiting: list[tuple[str, str]] = [("", revision.commit)]
    while waiting:
        prefix, tree = waiting.pop()
        folder = root / prefix
        earlier, later = submodules_at(folder, tree), _submodules_now(folder)
        # For git, a submodule that still exists but is no longer tracked is an untracked folder. It is compared below.
        paths.update(prefix + path for path in _changed(folder, tree) if path.rstrip("/") not in earlier)
        for path in sorted({*earlier, *later}):
            commit = earlier.get(path)
            why = why_unread(folder, path, commit)
            if why is None:
                waiting.append((f"{prefix}{path}/", commit or _empty_tree(folder / path)))
                continue
            unread.append(Unread(prefix + path, why))
            if later.get(path) != commit:
                paths.add(prefix + path)
    return Changes(sorted(paths), sorted(unread, key=lambda left_out: left_out.path))


def _changed(folder: Path, tree: str) -> Iterator[str]:
    """Changed paths relative to the folder, without those in submodules."""
    compare = (
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=all",
        "--relative",
        tree,
        "--",
    )
    with _index_of_its_own(folder) as index:
        changed = ask_git(folder, *compare, index=index)
    untracked = ask_git(folder, "ls-files", "--others", "--exclude-standard", "-z")
    return (os.fsdecode(path) for path in (changed + untracked).split(b"\0") if path)


def _submodules_now(folder: Path) -> Mapping[str, str]:
    """The submodules in the index below a folder: path relative to it, and commit."""
    found = {}
    for line in ask_git(folder, "ls-files", "--stage", "-z").split(b"\0"):
        facts, _, path = line.partition(b"\t")
        if facts.startswith(b"160000 "):
            found[os.fsdecode(path)] = facts.split()[1].decode("ascii")
    return found


def _empty_tree(folder: Path) -> str:
    """Git's id of an empty tree. Every file in a new submodule differs from it."""
    return ask_git(folder, "hash-object", "-t", "tree", "--stdin").decode("ascii").strip()


@contextmanager
def _index_of_its_own(folder: Path) -> Iterator[Path | None]:
    """A copy of the repository's index, because `git diff` updates the index with files that turn out to be unchanged.

    The copy has the same modification time: git compares the content of a file that is as old as the index.
    """
    index = folder / os.fsdecode(ask_git(folder, "rev-parse", "--git-path", "index").rstrip(b"\n"))
    with TemporaryDirectory(prefix="dockercise-") as copies:
        yield Path(shutil.copy2(index, Path(copies) / "index")) if index.exists() else None
