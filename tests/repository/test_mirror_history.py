"""Checkouts of mirrors with history and tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.git.history import write_history
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.mirror import Mirror
from dockercise_prefect.runtime.files.code_snapshot import code_entries
from tests.support.hosts.git_hosts import http_host
from tests.support.hosts.git_repository import commit_all, git, make_bare_repository, make_repository


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A developer's clone with three commits, pushed, and an annotated tag at the first one."""
    folder = make_repository(tmp_path / "work", {"a.txt": "one\n"}, branch="main")
    git(folder, "tag", "--annotate", "--message", "Release", "v1.0")
    bare = make_bare_repository(tmp_path / "host/infra.git", folder)
    git(folder, "remote", "add", "origin", str(bare))
    for number in range(2):
        (folder / "a.txt").write_text(f"{number}\n")
        commit_all(folder)
    git(folder, "push", "--quiet", "origin", "main", "v1.0")
    return folder


@pytest.fixture
def mirror(work: Path, tmp_path: Path) -> Mirror:
    """A mirror of what was pushed."""
    return Mirror(tmp_path / "data/repositories", parse_address((tmp_path / "host/infra.git").as_uri(), tmp_path), Access())


def _history(mirror: Mirror, commit: str, depth: int, copy: Path, branch: str = "main") -> tuple[int, str, str]:
    """The number of commits, the description of HEAD, and its branch in a copy of a checkout's history."""
    copy.mkdir()
    with mirror.checkout(commit, Extras("")) as folder:
        mirror.add_history(folder, commit, depth, branch)
        assert git(folder, "status", "--porcelain") == ""
        write_history(folder, copy, depth)
    described = git(copy, "describe", "--always", "--abbrev=40")
    return int(git(copy, "rev-list", "--count", "HEAD")), described, git(copy, "rev-parse", "--abbrev-ref", "HEAD")


def test_a_checkout_has_the_history_that_is_asked_for(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """The mirror, which fetches single commits, fetches more of the history if a run asks for it, again and again."""
    commit = git(work, "rev-parse", "HEAD")

    assert _history(mirror, commit, 2, tmp_path / "2") == (2, commit, "main")
    assert _history(mirror, commit, 0, tmp_path / "0") == (3, f"v1.0-2-g{commit}", "main")
    assert _history(mirror, commit, 1, tmp_path / "1", "") == (1, commit, "HEAD")
    assert _history(mirror, commit, 50, tmp_path / "50") == (3, f"v1.0-2-g{commit}", "main")


def test_tags_are_those_that_the_host_has_now(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """A tag that was moved or deleted at the host is moved or gone in the next checkout."""
    commit = git(work, "rev-parse", "HEAD")
    _history(mirror, commit, 0, tmp_path / "before")
    git(work, "tag", "--force", "v1.0", "HEAD~1")
    git(work, "push", "--quiet", "--force", "origin", "v1.0")
    moved = _history(mirror, commit, 0, tmp_path / "moved")
    git(work, "push", "--quiet", "origin", ":refs/tags/v1.0")

    gone = _history(mirror, commit, 0, tmp_path / "gone")

    assert git(tmp_path / "moved", "describe", "--tags", "--abbrev=40") == f"v1.0-1-g{commit}"
    assert moved[0] == gone[0] == 3
    assert git(tmp_path / "gone", "tag") == ""


def test_a_host_that_sends_only_branches(mirror: Mirror, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a host does not send single commits, all branches are fetched, and the history is as deep as asked for."""
    (tmp_path / "settings").write_text("[protocol]\n\tversion = 0\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    commit = git(work, "rev-parse", "HEAD~1")

    assert _history(mirror, commit, 1, tmp_path / "1") == (1, commit, "main")
    assert _history(mirror, commit, 0, tmp_path / "0") == (2, f"v1.0-1-g{commit}", "main")


def test_submodules_of_a_checkout_stay_part_of_the_code(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """The code of a checkout with history still has the files of its submodules."""
    other = make_repository(tmp_path / "other", {"inner": "1"})
    with http_host(make_bare_repository(tmp_path / "host/lib.git", other).parent, None) as host:
        git(work, "submodule", "--quiet", "add", f"{host}/lib.git", "lib")
        commit_all(work)
        git(work, "push", "--quiet", "origin", "main")
        commit = git(work, "rev-parse", "HEAD")

        with mirror.checkout(commit, Extras(f"{host}/infra.git", submodules=True)) as folder:
            mirror.add_history(folder, commit, 0, "main")
            entries = code_entries(folder, print)

    assert [entry.path for entry in entries] == [".gitmodules", "a.txt", "lib", "lib/inner"]


def test_other_checkouts_go_on(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """A checkout with history and one without can be used at the same time, and later ones are of single commits again."""
    commit, earlier = git(work, "rev-parse", "HEAD"), git(work, "rev-parse", "HEAD~1")
    with mirror.checkout(commit, Extras("")) as one, mirror.checkout(earlier, Extras("")) as other:
        mirror.add_history(one, commit, 0, "main")

        assert git(one, "log", "--format=%s") == "Go on\nGo on\nBegin"
        assert git(other, "rev-parse", "HEAD") == earlier
        assert (other / "a.txt").read_text() == "0\n"
    with mirror.checkout(commit, Extras("")) as again:
        assert (again / ".git").is_file()
