"""Git repositories for tests. They always have the same bytes, and ignore the developer's configuration of git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A Developer",
    "GIT_AUTHOR_EMAIL": "developer@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "A Developer",
    "GIT_COMMITTER_EMAIL": "developer@example.org",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    """Run git in a folder, with `given` as its input, and return what it printed.

    Raises:
        subprocess.CalledProcessError: git failed.
    """
    environment = {**os.environ, **_IDENTITY}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def make_repository(folder: Path, files: Mapping[str, str], branch: str = "master") -> Path:
    """Make a repository with one commit of these files (path to text), and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    git(folder, "init", "--quiet", f"--initial-branch={branch}")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def make_bare_repository(folder: Path, source: Path) -> Path:
    """Make a bare clone of `source`, as on a server, and return the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    git(source, "clone", "--quiet", "--bare", "--no-hardlinks", str(source), str(folder))
    return folder


def add_submodule(folder: Path, source: Path, path: str) -> None:
    """Add `source` as the submodule `path` to the repository in `folder`, checked out, and commit that."""
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), path)
    commit_all(folder)


def commit_all(folder: Path) -> None:
    """Commit all changes in the working tree, except ignored files."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Go on")
