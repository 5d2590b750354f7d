"""Which of the paths that changed on the disk are files of the code."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.frontend.discover import SUFFIXES
from dockercise_prefect.git.run import run_git
from dockercise_prefect.runtime.files.code_snapshot import IGNORE_FILE, is_listed_by_git, without_ignored

_OF_EDITORS = re.compile(r"\.sw[a-z]$|~$|^\.#|^#.*#$|^4913$|^\.goutputstream-|___jb_(tmp|old)___$|^\.~lock\.")
"""Files that editors make beside a file while it is open, or while they save it: Vim, Emacs, GNOME, JetBrains, LibreOffice."""

_OF_GIT = ".git"


def code_changes(root: Path, paths: Iterable[str]) -> list[str]:
    """The files of the code among the paths, relative to the root, with `/`, sorted.

    Left out is what the code does not have either: `.git`, what git ignores, and what `.dockerciseignore` excludes, except
    files of pipelines. Files that editors make for themselves are left out too.

    Args:
        root: a real path.
        paths: absolute paths of files and folders that changed, or are gone.
    """
    above = os.path.join(root, "")  # noqa: PTH118  ends with a `/`
    inside = {path.removeprefix(above) for path in paths if path.startswith(above)}
    kept = _without_git_ignored(root, sorted(path for path in inside if _may_count(PurePosixPath(path))))
    taken = _without_excluded(root, kept)
    return [path for path in kept if path in taken or is_definition(path)]


def is_definition(path: str) -> bool:
    """Whether a path is a file of the pipeline, or decides which files are."""
    return path.endswith((*SUFFIXES, ".gitignore", IGNORE_FILE))


def _may_count(path: PurePosixPath) -> bool:
    return _OF_GIT not in path.parts and _OF_EDITORS.search(path.name) is None


def _without_excluded(root: Path, paths: Iterable[str]) -> set[str]:
    try:
        return set(map(str, without_ignored(root, map(PurePosixPath, paths))))
    except DockerciseError:  # the run says what is wrong with the file
        return set(paths)


def _without_git_ignored(root: Path, paths: Sequence[str]) -> list[str]:
    """The paths that git does not ignore. Each repository is asked about its own files: git refuses those of submodules."""
    try:
        if not paths or not is_listed_by_git(root):
            return sorted(paths)
    except DockerciseError:  # the run says what is wrong with git
        return sorted(paths)
    repositories: dict[Path, Path] = {}
    by_repository: dict[Path, list[str]] = defaultdict(list)
    for path in paths:
        folder = (root / path).parent
        if folder not in repositories:
            repositories[folder] = _repository_of(folder)
        by_repository[repositories[folder]].append(path)
    return sorted(path for repository, some in by_repository.items() for path in _not_ignored(root, repository, some))


def _repository_of(folder: Path) -> Path:
    """The folder of the repository that a folder is in, which need not exist any more."""
    return next(above for above in (folder, *folder.parents) if (above / _OF_GIT).exists())


def _not_ignored(root: Path, repository: Path, paths: Iterable[str]) -> Iterable[str]:
    asked = {path: _names(root / path, repository) for path in paths}
    given = "\0".join(name for names in asked.values() for name in names)
    # With its index, git would compare each path with each tracked file.
    ignored = _answer(repository, "check-ignore", "--no-index", "--stdin", "-z", given=given)
    tracked = _answer(repository, "ls-files", "--cached", "-z") if ignored else set()
    return [path for path, names in asked.items() if names[0] in tracked or ignored.isdisjoint(names)]


def _answer(repository: Path, *question: str, given: str = "") -> set[str]:
    return set(filter(None, os.fsdecode(run_git(repository, *question, given=os.fsencode(given)).stdout).split("\0")))


def _names(path: Path, repository: Path) -> tuple[str, ...]:
    """How git is asked about a path. A folder that is gone looks like a file, but many patterns are for folders only."""
    name = os.path.relpath(path, repository)
    return (name,) if os.path.lexists(path) else (name, f"{name}/")
