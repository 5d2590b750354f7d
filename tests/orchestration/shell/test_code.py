"""The code of a recorded run, on a machine whose folder may be at another commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.git.ask import current_commit
from dockercise_prefect.orchestration.shell.code import code_of


def git(folder: Path, *arguments: str) -> None:
    """Run git as a user without settings."""
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in a repository with two commits, at the second one."""
    top = tmp_path / "top"
    root = top / "app"
    root.mkdir(parents=True)
    git(top, "init")
    for text in ("one", "two"):
        (root / "file").write_text(text)
        git(top, "add", ".")
        git(top, "commit", "-m", text)
    return root


def before(root: Path) -> str:
    """The short id of the first commit."""
    done = subprocess.run(["git", "rev-parse", "--short=12", "HEAD~1"], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_of_the_run_is_used(root: Path) -> None:
    """If the folder is at another commit, a copy of the run's commit is used. The repository is not changed."""
    commit, said = before(root), list[str]()
    there = sorted(path.name for path in (root.parent / ".git").iterdir())

    with code_of(root, commit, "", said.append) as folder:
        texts = [(folder / "file").read_text(), (root / "file").read_text()]

    assert texts == ["one", "two"]
    assert said == [f"code: commit {commit} of the run, from the repository of {root}"]
    assert not folder.exists()
    assert sorted(path.name for path in (root.parent / ".git").iterdir()) == there


def test_a_copy_is_on_the_branch_of_the_run(root: Path) -> None:
    """HEAD of a copy is the branch that the run was on, at the run's commit."""
    commit = before(root)

    with code_of(root, commit, "release/1", list[str]().append) as folder:
        head = (folder.parent / ".git/HEAD").read_text()
        found = current_commit(folder)

    assert (head, found) == ("ref: refs/heads/release/1\n", commit)


def test_the_folder_at_that_commit_is_used_itself(root: Path) -> None:
    """If the folder is at the run's commit, nothing is copied."""
    commit, said = current_commit(root), list[str]()

    with code_of(root, commit, "", said.append) as folder:
        assert folder == root

    assert said == [f"code: the folder {root}, which is at commit {commit} of the run"]


@pytest.mark.parametrize(
    ("commit", "why"),
    [
        (None, "the record does not say which commit it was"),
        ("0123456789ab", "it is in no repository that has commit 0123456789ab of the run"),
        ("0123456789ab-dirty", "the run had changes on top of commit 0123456789ab, which are in no commit"),
    ],
)
def test_otherwise_the_folder_as_it_is(root: Path, commit: str | None, why: str) -> None:
    """If the run's code is in no commit that is here, the folder is used as it is now, and the user is told why."""
    said: list[str] = []

    with code_of(root, commit, "", said.append) as folder:
        assert folder == root

    assert said == [f"code: the folder {root} as it is now; {why}"]
