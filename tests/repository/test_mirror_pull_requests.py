"""Pull requests in a mirror: their refs, their commits, and what forks must not reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import CommitMissingError
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.mirror import LONGEST_COMMIT, Mirror
from dockercise_prefect.repository.pull_request_refs import PullRequestRefs, PullRequestTips
from tests.support.hosts.git_repository import commit_all, git, make_bare_repository, make_repository

OWN, FORK = PullRequestRefs(7, is_fork=False), PullRequestRefs(7, is_fork=True)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A developer's clone, on the branch of a pull request."""
    work = make_repository(tmp_path / "work", {"a.txt": "one\n"}, branch="main")
    git(work, "remote", "add", "origin", str(make_bare_repository(tmp_path / "host/infra.git", work)))
    git(work, "switch", "--quiet", "--create", "topic")
    (work / "b.txt").write_text("two\n")
    commit_all(work)
    git(work, "switch", "--quiet", "--detach", "main")
    git(work, "merge", "--quiet", "--no-ff", "--message", "Merge topic into main", "topic")
    return work


def offer(work: Path, *, number: int = 7, folder: str = "refs/pull") -> tuple[str, str]:
    """Push the commits of a pull request as a host keeps them; returns its head and its merge."""
    git(work, "push", "--quiet", "--force", "origin", f"topic:{folder}/{number}/head", f"HEAD:{folder}/{number}/merge")
    return git(work, "rev-parse", "topic"), git(work, "rev-parse", "HEAD")


def mirror_of(tmp_path: Path, pull_request: PullRequestRefs | None) -> Mirror:
    address = parse_address((tmp_path / "host/infra.git").as_uri(), tmp_path)
    return Mirror(tmp_path / "data/repositories", address, Access(), pull_request)


@pytest.mark.parametrize("folder", ["refs/pull", "refs/merge-requests"])
def test_the_commits_of_a_pull_request(work: Path, tmp_path: Path, folder: str) -> None:
    """The host's refs for a pull request are found wherever the kinds of hosts keep them, and those of no other."""
    head, merge = offer(work, folder=folder)
    offer(work, number=77, folder=folder)

    mirror = mirror_of(tmp_path, None)

    assert mirror.tips(OWN) == PullRequestTips(head, merge)
    assert mirror.tips(PullRequestRefs(8, is_fork=False)) == PullRequestTips(None, None)


def test_a_branch_that_is_called_like_one(work: Path, tmp_path: Path) -> None:
    """A branch whose name looks like the ref of a pull request is not taken for one."""
    git(work, "push", "--quiet", "origin", "topic:refs/heads/refs/pull/7/head", "HEAD:refs/heads/refs/pull/7/merge")

    assert mirror_of(tmp_path, None).tips(OWN) == PullRequestTips(None, None)


def test_the_merge_is_checked_out_and_known(work: Path, tmp_path: Path) -> None:
    """The merge has the files of both branches, and its parents and messages are read without their history."""
    head, merge = offer(work)
    mirror = mirror_of(tmp_path, OWN)

    with mirror.checkout(merge, Extras("")) as folder:
        files = sorted(path.name for path in folder.iterdir() if path.name != ".git")
    mirror.fetch(head)

    assert files == ["a.txt", "b.txt"]
    assert mirror.parents(merge) == [git(work, "rev-parse", "main"), head]
    assert mirror.message(merge) == "Merge topic into main"


def test_a_message_that_nobody_has_written(work: Path, tmp_path: Path) -> None:
    """A message of megabytes is not read."""
    (work / "message").write_text("[skip ci]" + "x" * LONGEST_COMMIT)
    git(work, "commit", "--quiet", "--allow-empty", "--file", "message")
    _, merge = offer(work)
    mirror = mirror_of(tmp_path, OWN)
    mirror.fetch(merge)

    assert mirror.message(merge) == ""


def test_what_a_fork_pushed_is_kept_apart(work: Path, tmp_path: Path) -> None:
    """The commits of a fork are in a mirror of their own: the repository's own mirror never has them."""
    _, merge = offer(work)
    own, fork = mirror_of(tmp_path, None), mirror_of(tmp_path, FORK)
    own.fetch(git(work, "rev-parse", "main"))

    fork.fetch(merge)

    assert own.folder != fork.folder
    assert merge in git(fork.folder, "cat-file", "--batch-check", "--batch-all-objects")
    assert merge not in git(own.folder, "cat-file", "--batch-check", "--batch-all-objects")
    assert mirror_of(tmp_path, OWN).folder == own.folder


def test_a_host_that_sends_refs_only(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a host that sends no commit by its id, the refs of the pull request are fetched, and none of another one."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")
    head, _ = offer(work)
    git(work, "push", "--quiet", "origin", ":refs/pull/7/head")  # the head is in the merge, and is no ref's own commit
    fork = mirror_of(tmp_path, FORK)

    fork.fetch(head)

    assert fork.message(head) == "Go on"
    with pytest.raises(CommitMissingError, match="has no commit"):
        mirror_of(tmp_path, PullRequestRefs(8, is_fork=False)).fetch(head)
