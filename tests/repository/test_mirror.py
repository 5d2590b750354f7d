"""Mirrors: commits fetched once, trees checked out, and hostile repositories."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from dockercise_prefect.errors import RepositoryError, UsageError
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.file_lock import file_lock
from dockercise_prefect.repository.mirror import Mirror
from tests.support.hosts.git_repository import add_submodule, commit_all, git, make_bare_repository, make_repository


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A developer's clone."""
    return make_repository(tmp_path / "work", {"a.txt": "one\n", "folder/b.txt": "two\n"}, branch="main")


@pytest.fixture
def host(work: Path, tmp_path: Path) -> Path:
    """The repository that the developer pushes to."""
    bare = make_bare_repository(tmp_path / "host/infra.git", work)
    git(work, "remote", "add", "origin", str(bare))
    return bare


@pytest.fixture
def mirror(host: Path, tmp_path: Path) -> Mirror:
    """A mirror of it."""
    return mirror_of(host, tmp_path)


def mirror_of(host: Path, tmp_path: Path) -> Mirror:
    """A mirror of a repository on this machine; by a URL, since git uses a shortcut for paths."""
    return Mirror(tmp_path / "data/repositories", parse_address(host.as_uri(), tmp_path), Access())


def push(work: Path) -> str:
    """Commit and push everything in the developer's clone; returns the commit."""
    commit_all(work)
    git(work, "push", "--quiet", "origin", "HEAD")
    return git(work, "rev-parse", "HEAD")


def tree(folder: Path) -> dict[str, str]:
    """The files of a checkout."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_the_default_branch_and_others_are_found_at_the_host(mirror: Mirror, work: Path) -> None:
    """A branch, a tag and an annotated tag give their commits."""
    first = git(work, "rev-parse", "HEAD")
    git(work, "branch", "other")
    git(work, "tag", "v1")
    git(work, "tag", "--annotate", "--message=two", "v2")
    git(work, "push", "--quiet", "origin", "other", "v1", "v2")

    heads = [mirror.head(ref) for ref in (None, "other", "v1", "v2")]

    assert [(head.name, head.commit) for head in heads] == [
        ("main", first),
        ("other", first),
        ("v1", first),
        ("v2", first),
    ]


def test_a_checkout_is_the_tree_of_its_commit_and_is_gone_afterwards(mirror: Mirror, work: Path) -> None:
    """Two commits are checked out at the same time, each with its own files."""
    first = git(work, "rev-parse", "HEAD")
    (work / "a.txt").write_text("changed\n")
    second = push(work)

    with mirror.checkout(first, Extras("")) as old, mirror.checkout(second, Extras("")) as new:
        trees = tree(old), tree(new)

    assert trees == ({"a.txt": "one\n", "folder/b.txt": "two\n"}, {"a.txt": "changed\n", "folder/b.txt": "two\n"})
    assert not list(old.parent.iterdir())


def test_only_the_commit_is_fetched(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """Only one commit of a long history is fetched, if the host supports it."""
    for number in range(5):
        (work / "a.txt").write_text(f"{number}\n")
        last = push(work)

    mirror.fetch(last)

    bare = next((tmp_path / "data/repositories").glob("*.git"))
    assert git(bare, "rev-list", "--count", last) == "1"


def test_a_commit_that_is_here_needs_no_host(mirror: Mirror, work: Path, host: Path) -> None:
    """A commit that was fetched once is available while the host is down."""
    commit = git(work, "rev-parse", "HEAD")
    mirror.fetch(commit)
    host.rename(host.with_name("moved"))

    with mirror.checkout(commit, Extras("")) as folder:
        files = tree(folder)

    assert files["a.txt"] == "one\n"


@pytest.mark.parametrize(
    "ref", ["--upload-pack=touch /tmp/x", "-x", "a..b", "a b", "main^{commit}", "refs/*", "", "@", "x.lock", "a\nb"]
)
def test_what_is_no_ref_is_refused(mirror: Mirror, ref: str) -> None:
    """A ref that git could take for an option or a pattern never reaches git."""
    with pytest.raises(UsageError, match="cannot be the name of a branch or tag"):
        mirror.head(ref)


@pytest.mark.parametrize("commit", ["main", "--all", "abc1234", "A" * 40, "0" * 41])
def test_what_is_no_commit_is_refused(mirror: Mirror, commit: str) -> None:
    """Only a complete id names a commit."""
    with pytest.raises(UsageError, match="not a commit id"):
        mirror.fetch(commit)


def test_a_branch_or_commit_that_is_not_there_is_said(mirror: Mirror) -> None:
    """Both are mistakes of the user, and the message shows where to look."""
    with pytest.raises(UsageError, match="has no branch or tag `nowhere`"):
        mirror.head("nowhere")
    with pytest.raises(RepositoryError, match="has no commit 1111"):
        mirror.fetch("1" * 40)


def test_a_repository_that_is_not_there_is_said(tmp_path: Path) -> None:
    """There is no traceback, but a hint."""
    with pytest.raises(RepositoryError, match="cannot read") as refused:
        mirror_of(tmp_path / "nowhere", tmp_path).head(None)

    assert refused.value.hint


def test_a_repository_without_commits_is_said(tmp_path: Path) -> None:
    """A repository without commits has nothing to register yet."""
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet", "--bare")

    with pytest.raises(UsageError, match="has no commit on its default branch"):
        mirror_of(tmp_path / "empty", tmp_path).head(None)


def test_hooks_and_filters_of_a_repository_do_nothing(work: Path, host: Path, mirror: Mirror, tmp_path: Path) -> None:
    """Neither hooks nor the programs that `.gitattributes` names are run, and no file in LFS is fetched."""
    trap = tmp_path / "trap"
    template = tmp_path / "template/hooks"
    template.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction"):
        (template / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (template / name).chmod(0o755)
    (work / ".gitattributes").write_text("*.txt filter=evil\n*.bin filter=lfs\n")
    (work / ".gitmodules").write_text(
        f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {trap}"\n\tupdate = !touch {trap}\n'
    )
    (work / "big.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    commit = push(work)
    (host / "config").write_text(
        (host / "config").read_text() + f'[filter "evil"]\n\tsmudge = touch {trap}\n[uploadpack]\n\thideRefs = refs/x\n'
    )

    with mirror.checkout(commit, Extras(host.as_uri())) as folder:
        files = tree(folder)

    assert files["big.bin"].startswith("version https://git-lfs")
    assert not trap.exists()


def test_links_of_a_repository_stay_links(work: Path, mirror: Mirror, host: Path) -> None:
    """A checkout writes through no link and follows none."""
    (work / "secret").symlink_to("/etc/passwd")
    (work / "outside").symlink_to("/")
    commit = push(work)

    with mirror.checkout(commit, Extras("")) as folder:
        links = [(folder / name).readlink() for name in ("secret", "outside")]

    assert links == [Path("/etc/passwd"), Path("/")]


def test_submodules_come_when_they_are_asked_for(work: Path, mirror: Mirror, host: Path, tmp_path: Path) -> None:
    """Without the option, a submodule is an empty folder; with it, a submodule on this machine is refused."""
    library = make_repository(tmp_path / "library", {"lib.txt": "lib\n"})
    add_submodule(work, library, "vendor")
    git(work, "push", "--quiet", "origin", "HEAD")
    commit = git(work, "rev-parse", "HEAD")

    with mirror.checkout(commit, Extras(host.as_uri())) as folder:
        without = tree(folder)
    with (
        pytest.raises(RepositoryError, match="transport 'file' not allowed"),
        mirror.checkout(commit, Extras(host.as_uri(), submodules=True)),
    ):
        pass

    assert "vendor/lib.txt" not in without
    assert not list((tmp_path / "data/repositories/checkouts").iterdir())


def test_processes_share_a_mirror(host: Path, work: Path, tmp_path: Path) -> None:
    """Several processes that start at the same time all get the tree, and leave only the mirror."""
    commit = git(work, "rev-parse", "HEAD")
    program = (
        "import sys; from pathlib import Path; from dockercise_prefect.repository.mirror import Mirror;"
        "from dockercise_prefect.repository.access import Access; from dockercise_prefect.repository.extras import Extras;"
        "from dockercise_prefect.repository.address import parse_address;"
        "mirror = Mirror(Path(sys.argv[1]), parse_address(sys.argv[2], Path('/')), Access());"
        "checkout = mirror.checkout(sys.argv[3], Extras(''));"
        "folder = checkout.__enter__(); print((folder / 'a.txt').read_text()); checkout.__exit__(None, None, None)"
    )
    data = tmp_path / "data/repositories"
    command = [sys.executable, "-c", program, str(data), host.as_uri(), commit]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]

    assert outputs == ["one\n\n"] * 6
    assert len(list(data.glob("*.git"))) == 1
    assert not list((data / "checkouts").iterdir())


def test_what_a_killed_process_left_goes_with_the_next_checkout(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """A checkout in use stays; the checkout of a dead process is removed."""
    commit = git(work, "rev-parse", "HEAD")
    checkouts = tmp_path / "data/repositories/checkouts"
    with mirror.checkout(commit, Extras("")) as used:
        left = checkouts / "infra-0123456789abcdef"
        left.mkdir()
        (checkouts / "infra-0123456789abcdef.lock").touch()

        with mirror.checkout(commit, Extras("")) as another:
            there = sorted(path for path in checkouts.iterdir() if path.is_dir())

    assert there == sorted([used, another])


def test_a_sweep_that_takes_the_lock_of_a_new_checkout_only_delays_it(
    mirror: Mirror, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another mirror tries every lock that it finds, also a new one: the checkout waits and goes on."""
    monkeypatch.setattr("dockercise_prefect.repository.mirror.secrets.token_hex", lambda _: "new")
    checkouts = tmp_path / "data/repositories/checkouts"
    checkouts.mkdir(parents=True)
    waited = []
    with ExitStack() as sweep:
        sweep.enter_context(file_lock(checkouts / "infra-new.lock", 0))

        def wait(seconds: float) -> None:
            waited.append(seconds)
            sweep.close()

        monkeypatch.setattr("dockercise_prefect.repository.file_lock.time.sleep", wait)

        with mirror.checkout(git(work, "rev-parse", "HEAD"), Extras("")) as folder:
            found = tree(folder)

    assert waited
    assert found == {"a.txt": "one\n", "folder/b.txt": "two\n"}


def test_nobody_else_can_read_what_was_fetched(mirror: Mirror, work: Path, tmp_path: Path) -> None:
    """Folders are private to the user, and another secret leads to another mirror."""
    commit = git(work, "rev-parse", "HEAD")
    mirror.fetch(commit)
    other = Mirror(
        tmp_path / "data/repositories", parse_address((tmp_path / "host/infra.git").as_uri(), tmp_path), Access("b", "t")
    )

    with pytest.raises(UsageError, match="contains a token"):
        other.fetch(commit)

    assert (tmp_path / "data/repositories").stat().st_mode & 0o077 == 0


@pytest.mark.docker
def test_files_in_lfs_come_when_they_are_asked_for(work: Path, mirror: Mirror, host: Path) -> None:
    """Without the option, a small text replaces a file in LFS, whatever the user's own git does with such files."""
    git(work, "lfs", "install", "--local")
    git(work, "lfs", "track", "*.bin")
    (work / "big.bin").write_text("many bytes")
    commit = push(work)

    with mirror.checkout(commit, Extras(host.as_uri())) as folder:
        without = tree(folder)["big.bin"]
    with mirror.checkout(commit, Extras(host.as_uri(), lfs=True)) as folder:
        brought = tree(folder)["big.bin"]

    assert without.startswith("version https://git-lfs.github.com/spec/v1")
    assert brought == "many bytes"
