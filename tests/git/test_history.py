"""A repository of its own with a part of another one's history."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.history import leave_out, write_history
from tests.support.hosts.git_repository import add_submodule, commit_all, git, make_bare_repository, make_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with five commits on `main` and a tag at the second and the fourth one; the last is annotated."""
    folder = make_repository(tmp_path / "root", {"f": "1", "sub/g": "1"}, "main")
    for number in range(2, 6):
        (folder / "f").write_text(f"{number}", encoding="utf-8")
        commit_all(folder)
        if number == 2:
            git(folder, "tag", "early")
        if number == 4:
            git(folder, "tag", "--annotate", "--message", "Release", "v1.0")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def _commits(work: Path) -> int:
    return int(git(work, "rev-list", "--count", "HEAD"))


@pytest.mark.parametrize(
    ("depth", "commits", "tags"), [(1, 1, ""), (2, 2, "v1.0"), (3, 3, "v1.0"), (50, 5, "early\nv1.0"), (0, 5, "early\nv1.0")]
)
def test_the_history_is_as_deep_as_asked_for(root: Path, work: Path, depth: int, commits: int, tags: str) -> None:
    """There are so many commits and the tags that are at one of them, and nothing is missing or broken."""
    write_history(root, work, depth)

    assert (_commits(work), git(work, "tag")) == (commits, tags)
    assert git(work, "fsck", "--full") == ""
    assert git(work, "rev-parse", "HEAD") == git(root, "rev-parse", "HEAD")


def test_head_is_on_the_branch(root: Path, work: Path) -> None:
    """HEAD is on the root's branch, whatever its name is, and no other branch is there."""
    git(root, "checkout", "--quiet", "-b", "feature/ä")

    write_history(root, work, 50)

    assert git(work, "symbolic-ref", "HEAD") == "refs/heads/feature/ä"
    assert git(work, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/feature/ä"


def test_a_detached_head(root: Path, work: Path) -> None:
    """A detached HEAD stays detached, at the commit of a tag too; there is no branch."""
    git(root, "checkout", "--quiet", "v1.0")

    write_history(root, work, 50)

    assert git(work, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    assert git(work, "describe", "--exact-match") == "v1.0"
    assert git(work, "for-each-ref", "--format=%(refname)") == "refs/tags/early\nrefs/tags/v1.0"


def test_a_shallow_root_gives_what_it_has(root: Path, work: Path, tmp_path: Path) -> None:
    """If the root itself has only a part of the history, all of that part can be had."""
    git(tmp_path, "clone", "--quiet", "--depth=3", root.as_uri(), "shallow")

    write_history(tmp_path / "shallow", work, 0)

    assert _commits(work) == 3
    assert git(work, "fsck", "--full") == ""


def test_a_work_tree_beside_its_repository(root: Path, work: Path, tmp_path: Path) -> None:
    """A root whose `.git` is a file, as made by `git worktree`, works too."""
    git(root, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"))

    write_history(tmp_path / "other", work, 50)

    assert git(work, "symbolic-ref", "--short", "HEAD") == "other"


def test_other_ids_of_commits(work: Path, tmp_path: Path) -> None:
    """A repository with SHA-256 ids stays one."""
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Begin")

    write_history(root, work, 50)

    assert git(work, "rev-parse", "HEAD") == git(root, "rev-parse", "HEAD")
    assert len(git(work, "rev-parse", "HEAD")) == 64


def test_nothing_of_the_users_is_there(root: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no remote, no hook, no setting and no log of the root's or the user's, and none of their programs is started."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "user").write_text(
        f"[core]\n\thooksPath = {tmp_path}\n\tfsmonitor = {program}\n[uploadpack]\n\tpackObjectsHook = {program}\n"
        f'[init]\n\ttemplateDir = {root}/.git\n[remote "x"]\n\turl = https://user:secret@example.org/x\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "user"))
    git(root, "remote", "add", "origin", "https://user:secret@example.org/x")
    git(root, "config", "core.fsmonitor", str(program))
    git(root, "config", "uploadpack.packObjectsHook", str(program))
    git(root, "config", "core.alternateRefsCommand", str(program))
    other = make_repository(tmp_path / "other", {"f": "other"})
    (root / ".git/objects/info/alternates").write_text(f"{other}/.git/objects\n", encoding="utf-8")
    (root / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (root / ".git/hooks" / hook).write_bytes(program.read_bytes())
        (root / ".git/hooks" / hook).chmod(0o755)

    write_history(root, work, 50)

    assert not (tmp_path / "started").exists()
    assert git(work, "remote") == ""
    assert not (work / ".git/hooks").exists()
    assert sorted(path.name for path in work.iterdir()) == [".git"]
    settings = git(work, "config", "--local", "--list").splitlines()
    assert {line.partition("=")[0] for line in settings} <= {
        "core.repositoryformatversion",
        "core.filemode",
        "core.bare",
        "core.logallrefupdates",
    }
    assert not [path for path in (work / ".git").rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_files_that_are_left_out_do_not_count_as_deleted(root: Path, work: Path) -> None:
    """A tracked file that exists but is not in the code is as in HEAD for git; one that the user deleted is deleted."""
    (root / "gone").write_text("", encoding="utf-8")
    commit_all(root)
    (root / "gone").unlink()
    write_history(root, work, 50)
    (work / "f").write_bytes((root / "f").read_bytes())

    leave_out(work, {"f"}, root)

    assert git(work, "status", "--porcelain") == "D gone"  # the first character, a blank, was stripped


def test_submodules_are_plain_files(root: Path, work: Path, tmp_path: Path) -> None:
    """The files of a submodule are there without its repository, and git shows no change."""
    other = make_repository(tmp_path / "other", {"inner": "1"})
    add_submodule(root, make_bare_repository(tmp_path / "other.git", other), "lib")
    write_history(root, work, 50)
    for path in ("f", ".gitmodules", "lib/inner", "sub/g"):
        (work / path).parent.mkdir(exist_ok=True)
        (work / path).write_bytes((root / path).read_bytes())

    leave_out(work, {"f", ".gitmodules", "lib", "lib/inner", "sub", "sub/g"}, root)

    assert git(work, "status", "--porcelain") == ""
    assert git(work, "diff", "--exit-code") == ""


def test_a_root_that_is_no_whole_repository(root: Path, work: Path, tmp_path: Path) -> None:
    """A folder outside of git, one inside a repository, and a repository without a commit are refused with what to do."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="must be a git repository") as outside:
        write_history(tmp_path, work, 50)
    with pytest.raises(UsageError, match="the folder `sub/` of one") as inside:
        write_history(root / "sub", work, 50)
    git(empty, "init", "--quiet")
    with pytest.raises(UsageError, match="has no commit yet") as without:
        write_history(empty, work, 50)

    assert all("code: {git: true}" in (refused.value.hint or "") for refused in (outside, inside, without))


def test_a_partial_clone_is_refused(root: Path, work: Path, tmp_path: Path) -> None:
    """Git would fetch what is missing, with commands that the repository's settings name."""
    git(root, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", root.as_uri(), "partial")

    with pytest.raises(UsageError, match="partial clone"):
        write_history(tmp_path / "partial", work, 50)
