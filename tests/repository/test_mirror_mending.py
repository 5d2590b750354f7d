"""Mirrors in a bad state, left by a killed process or a broken disk, and unusual hosts."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dockercise_prefect.errors import CommitMissingError, RepositoryError
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.mirror import Mirror
from tests.support.hosts.git_hosts import http_host
from tests.support.hosts.git_repository import add_submodule, commit_all, git, make_bare_repository, make_repository

FILES = {"a.txt": "one\n" * 1000, "b.txt": "two\n"}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return make_repository(tmp_path / "host", FILES, branch="main")


@pytest.fixture
def mirror(host: Path, tmp_path: Path) -> Mirror:
    """A mirror of it that already has that commit."""
    mirror = mirror_of(host, tmp_path)
    mirror.fetch(head(host))
    return mirror


def mirror_of(host: Path, tmp_path: Path) -> Mirror:
    """A mirror of a repository on this machine."""
    return Mirror(tmp_path / "data", parse_address(host.as_uri(), tmp_path), Access())


def head(host: Path) -> str:
    """Its newest commit."""
    return git(host, "rev-parse", "HEAD")


def go_on(host: Path) -> str:
    """Make one more commit; returns its id."""
    (host / "b.txt").write_text(f"after {head(host)}\n")
    commit_all(host)
    return head(host)


def names(mirror: Mirror, commit: str, extras: Extras | None = None) -> list[str]:
    """The files of a checkout."""
    with mirror.checkout(commit, extras or Extras("")) as folder:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".git")


def _no_head(bare: Path) -> None:
    (bare / "HEAD").unlink()


def _empty_head(bare: Path) -> None:
    (bare / "HEAD").write_text("")


def _broken_config(bare: Path) -> None:
    (bare / "config").write_text("[")


def _broken_objects(bare: Path) -> None:
    for path in [*bare.glob("objects/??/*"), *bare.glob("objects/pack/*.pack")]:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        path.write_bytes(path.read_bytes()[:20])


def _locks_of_a_killed_git(bare: Path) -> None:
    for name in ("shallow.lock", "config.lock", "packed-refs.lock", "refs/dockercise/latest.lock"):
        (bare / name).touch()


@pytest.mark.parametrize("damage", [_no_head, _empty_head, _broken_config, _broken_objects, _locks_of_a_killed_git])
def test_a_mirror_that_was_damaged_is_mended(
    damage: Callable[[Path], None], mirror: Mirror, host: Path, tmp_path: Path
) -> None:
    """The old commit is available again, and so is the next one."""
    first = head(host)
    second = go_on(host)
    damage(next((tmp_path / "data").glob("*.git")))

    found = [names(mirror, commit) for commit in (first, second)]

    assert found == [["a.txt", "b.txt"]] * 2


def test_a_damaged_mirror_does_not_lead_git_into_a_repository_above(host: Path, tmp_path: Path) -> None:
    """If the data folder is in a repository of the user, nothing is written into that repository."""
    make_repository(tmp_path, {"dotfile": "mine\n"})
    mirror = mirror_of(host, tmp_path)
    mirror.fetch(head(host))
    _empty_head(next((tmp_path / "data").glob("*.git")))

    found = names(mirror, head(host))

    assert found == ["a.txt", "b.txt"]
    assert git(tmp_path, "for-each-ref", "--format=%(refname)") == "refs/heads/master"
    assert len(git(tmp_path, "worktree", "list").splitlines()) == 1


def test_a_healthy_mirror_stays_when_the_host_is_down(mirror: Mirror, host: Path, tmp_path: Path) -> None:
    """Fetched commits are not removed if a new one cannot be fetched."""
    commit = head(host)
    host.rename(tmp_path / "moved")

    with pytest.raises(RepositoryError, match="cannot read"):
        mirror.fetch("1" * 40)

    assert names(mirror, commit) == ["a.txt", "b.txt"]


def test_a_branch_that_became_a_folder_of_branches_is_no_obstacle(mirror: Mirror, host: Path) -> None:
    """If all branches are fetched, branches that no longer exist at the host are removed first."""
    git(host, "branch", "release")
    with pytest.raises(CommitMissingError):
        mirror.fetch("1" * 40)
    git(host, "branch", "--move", "release", "release/1")

    with pytest.raises(CommitMissingError):
        mirror.fetch("2" * 40)


def test_a_repository_with_long_ids_is_checked_out(tmp_path: Path) -> None:
    """SHA-256 works like SHA-1, whatever the user's git uses by default."""
    host = tmp_path / "long"
    host.mkdir()
    git(host, "init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    (host / "a.txt").write_text("one\n")
    commit_all(host)
    mirror = mirror_of(host, tmp_path)

    found = names(mirror, mirror.head(None).commit)

    assert found == ["a.txt"]


def test_a_clone_is_registered_by_its_own_head(host: Path, tmp_path: Path) -> None:
    """A clone also records its origin's default branch, which is not one of its own branches."""
    git(tmp_path, "clone", "--quiet", str(host), "clone")

    found = mirror_of(tmp_path / "clone", tmp_path).head(None)

    assert found.name == "main"


def test_the_settings_of_the_user_do_not_change_a_tree(host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter of the user that the repository's attributes name is not started, and line ends stay unchanged."""
    trap = tmp_path / "trap"
    (host / ".gitattributes").write_text("a.txt filter=mine\n")
    commit_all(host)
    (tmp_path / "settings").write_text(
        f'[filter "mine"]\n\tsmudge = touch {trap}\n\trequired = true\n'
        "[core]\n\tautocrlf = true\n[safe]\n\tbareRepository = explicit\n[init]\n\tdefaultObjectFormat = sha256\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))

    with mirror_of(host, tmp_path).checkout(head(host), Extras("")) as folder:
        texts = [(folder / name).read_bytes() for name in ("a.txt", "b.txt")]

    assert texts == [FILES["a.txt"].encode(), FILES["b.txt"].encode()]
    assert not trap.exists()


def test_a_data_folder_that_cannot_be_written_is_said(mirror: Mirror, tmp_path: Path) -> None:
    """There is no traceback, but a hint; here a folder in place of a file stands for any error of a disk."""
    lock = next((tmp_path / "data").glob("*.git.lock"))
    lock.unlink()
    lock.mkdir()

    with pytest.raises(RepositoryError, match="cannot write in") as refused:
        mirror.fetch("1" * 40)

    assert refused.value.hint


def test_a_submodule_that_moved_is_fetched_where_the_commit_says(host: Path, tmp_path: Path) -> None:
    """The mirror does not keep the settings of an earlier commit, and both commits are checked out at the same time."""
    served = tmp_path / "served"
    for name in ("old", "new"):
        make_bare_repository(served / f"{name}.git", make_repository(tmp_path / name, {f"{name}.txt": name}))
    with http_host(served, None) as address:
        add_submodule(host, tmp_path / "old", "vendor")
        commits = []
        for name in ("old", "new"):
            git(host, "config", "--file", ".gitmodules", "submodule.vendor.url", f"{address}/{name}.git")
            git(host, "update-index", "--cacheinfo", f"160000,{head(tmp_path / name)},vendor")
            git(host, "add", ".gitmodules")
            git(host, "commit", "--quiet", "--message", name)
            commits.append(head(host))
        mirror = mirror_of(host, tmp_path)

        found = [names(mirror, commit, Extras(host.as_uri(), submodules=True)) for commit in commits]

    assert ["vendor/old.txt" in found[0], "vendor/new.txt" in found[1]] == [True, True]
    assert not list((tmp_path / "data/checkouts").iterdir())
