"""Submodules in the past of a repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dockercise_prefect.frontend.discover import read_sources
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.past_sources import sources_at
from dockercise_prefect.git.ask import Revision, find_revision
from dockercise_prefect.git.changes import changed_files
from tests.support.hosts.git_repository import add_submodule, commit_all, git, make_repository

PIPELINE = "s: {img: x, triggers: '*.c'}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a submodule `lib/sm`, which has the submodule `in`; all committed and checked out."""
    inner = make_repository(tmp_path / "inner", {"i.dockercise.yaml": "i: {img: x}\n", "i.c": "i\n"})
    middle = make_repository(tmp_path / "middle", {"s.dockercise.yaml": PIPELINE, "f.c": "f\n", ".gitignore": "*.o\n"})
    add_submodule(middle, inner, "in")
    outer = make_repository(tmp_path / "outer", {"o.dockercise.yaml": "o: {img: x}\n"})
    add_submodule(outer, middle, "lib/sm")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    return outer


def _head(root: Path) -> Revision:
    return find_revision(root, "HEAD")


def test_unchanged_submodules(root: Path) -> None:
    """The past of unchanged, nested submodules is the same as the present, and nothing has changed."""
    past = sources_at(root, _head(root))
    changes = changed_files(root, _head(root))

    assert list(past.sources) == read_sources(root, Findings())
    assert [source.path for source in past.sources] == [
        "lib/sm/in/i.dockercise.yaml",
        "lib/sm/s.dockercise.yaml",
        "o.dockercise.yaml",
    ]
    assert (changes.paths, past.unread, changes.unread) == ([], [], [])


def test_changes_in_submodules(root: Path) -> None:
    """Changed, deleted and untracked files of a submodule count, with its path in front; ignored files do not."""
    for path in ("f.c", "new.c", "f.o", "in/i.c"):
        (root / "lib/sm" / path).write_text("new\n")
    (root / "lib/sm/s.dockercise.yaml").unlink()

    changes = changed_files(root, _head(root))

    assert changes.paths == ["lib/sm/f.c", "lib/sm/in/i.c", "lib/sm/new.c", "lib/sm/s.dockercise.yaml"]


def test_commits_in_a_submodule(root: Path) -> None:
    """Commits are compared with the commit that the revision recorded, even if the outer repository has not recorded them."""
    revision = Revision("HEAD", _head(root).commit)
    (root / "lib/sm/f.c").write_text("new\n")
    (root / "lib/sm/s.dockercise.yaml").write_text("other: {img: x}\n")
    commit_all(root / "lib/sm")

    before, past = changed_files(root, revision), sources_at(root, revision)
    commit_all(root)
    after = changed_files(root, revision)

    assert before.paths == after.paths == ["lib/sm/f.c", "lib/sm/s.dockercise.yaml"]
    assert PIPELINE.encode() in [source.data for source in past.sources]
    assert changed_files(root, _head(root)).paths == []


def test_a_new_submodule(root: Path, tmp_path: Path) -> None:
    """If the revision did not have a submodule, all its files are new, also those of its own submodules."""
    revision = Revision("HEAD", _head(root).commit)
    add_submodule(root, tmp_path / "middle", "two")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    (root / "two/new.c").write_text("")

    changes = changed_files(root, revision)

    assert changes.paths == [
        ".gitmodules",
        *(f"two/{name}" for name in (".gitignore", ".gitmodules", "f.c", "in/i.c", "in/i.dockercise.yaml", "new.c")),
        "two/s.dockercise.yaml",
    ]


def test_a_submodule_that_is_gone(root: Path) -> None:
    """If a submodule was removed, the submodule itself has changed, and its past is left out."""
    revision = Revision("HEAD", _head(root).commit)
    git(root, "rm", "--quiet", "-r", "--force", "lib/sm")
    commit_all(root)

    changes = changed_files(root, revision)

    assert changes.paths == [".gitmodules", "lib/sm"]
    assert [left_out.path for left_out in changes.unread] == ["lib/sm"]


def test_a_submodule_that_is_tracked_no_longer(root: Path) -> None:
    """A submodule that is not in the index but still in the folder is compared as usual."""
    git(root, "rm", "--quiet", "--cached", "lib/sm")
    (root / "lib/sm/f.c").write_text("new\n")

    changes = changed_files(root, _head(root))

    assert changes.paths == ["lib/sm/f.c"]


def test_a_submodule_that_is_not_checked_out(root: Path) -> None:
    """An empty folder in place of a submodule has no past and no changes, and this is reported."""
    git(root, "submodule", "--quiet", "deinit", "--all", "--force")

    past, changes = sources_at(root, _head(root)), changed_files(root, _head(root))

    assert [source.path for source in past.sources] == ["o.dockercise.yaml"]
    assert changes.paths == []
    assert past.unread == changes.unread
    assert [(left_out.path, left_out.why) for left_out in past.unread] == [
        ("lib/sm", "it is not checked out; `git submodule update --init` fetches it")
    ]


def test_a_commit_that_a_submodule_has_not(root: Path) -> None:
    """If the commit is missing, the submodule is left out, and its new commit counts as a change."""
    revision = Revision("HEAD", _head(root).commit)
    recorded = git(root / "lib/sm", "rev-parse", "HEAD")
    shutil.rmtree(root / ".git/modules/lib/sm")
    (root / "lib/sm/.git").unlink()
    make_repository(root / "lib/sm", {"g.c": "g\n"})
    commit_all(root)

    past, changes = sources_at(root, revision), changed_files(root, revision)

    assert [source.path for source in past.sources] == ["o.dockercise.yaml"]
    assert changes.paths == ["lib/sm"]
    assert past.unread == changes.unread
    assert past.unread[0].why.startswith(f"it does not have the commit {recorded[:12]}; ")


def test_what_is_no_repository_where_a_submodule_was(root: Path) -> None:
    """If a folder `.git` holds no repository, git does not answer for the outer repository."""
    (root / "lib/sm/.git").unlink()
    (root / "lib/sm/.git").mkdir()

    past = sources_at(root, _head(root))

    assert [left_out.why.partition(";")[0] for left_out in past.unread] == ["its folder is not a repository"]


def test_a_repository_that_git_refuses(root: Path) -> None:
    """If git refuses to read a submodule, the note quotes git's reason."""
    (root / "lib/sm/.git").write_text("gitdir: ../nowhere\n")

    past = sources_at(root, _head(root))

    assert past.unread[0].why.startswith("git cannot read it: fatal: ")


def test_a_link_in_a_submodules_place(root: Path, tmp_path: Path) -> None:
    """A link in place of a submodule is not followed to another repository."""
    shutil.move(root / "lib/sm", tmp_path / "elsewhere")
    (root / "lib/sm").symlink_to(tmp_path / "middle")

    past = sources_at(root, _head(root))

    assert [source.path for source in past.sources] == ["o.dockercise.yaml"]
    assert [left_out.path for left_out in past.unread] == ["lib/sm"]


def test_links_across_a_submodules_border(root: Path) -> None:
    """Links into a submodule and out of it are followed, as in the working tree."""
    (root / "lib/sm/base.yaml").write_text("b: {img: x}\n")
    (root / "lib/sm/out.dockercise.yaml").symlink_to("../../.top.yaml")
    (root / ".top.yaml").write_text("t: {img: x}\n")
    (root / "in.dockercise.yaml").symlink_to("lib/sm/base.yaml")
    commit_all(root / "lib/sm")
    commit_all(root)

    past = sources_at(root, _head(root))

    assert list(past.sources) == read_sources(root, Findings())
    assert {"in.dockercise.yaml", "lib/sm/out.dockercise.yaml"} < {source.path for source in past.sources}


def test_a_root_inside_a_submodule(root: Path) -> None:
    """For a root inside a submodule, the files are compared with the submodule's own repository."""
    (root / "lib/sm/in/i.c").write_text("new\n")

    changes = changed_files(root / "lib/sm", _head(root / "lib/sm"))

    assert changes.paths == ["in/i.c"]


def test_nothing_is_written_and_nothing_started(root: Path, tmp_path: Path) -> None:
    """The index of a submodule stays unchanged, and its settings start no program."""
    sign = tmp_path / "started"
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch '{sign}'\n")
    monitor.chmod(0o755)
    git(root / "lib/sm", "config", "core.fsmonitor", str(monitor))
    (root / "lib/sm/f.c").touch()
    index = root / ".git/modules/lib/sm/index"
    before = index.read_bytes()

    changes = changed_files(root, _head(root))

    assert changes.paths == []
    assert index.read_bytes() == before
    assert not sign.exists()


def test_a_hook_does_not_mislead(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If git has set variables for a hook of the outer repository, a submodule is still answered for by its own repository."""
    revision = Revision("HEAD", _head(root).commit)
    for name, value in (("GIT_DIR", ""), ("GIT_INDEX_FILE", "index"), ("GIT_OBJECT_DIRECTORY", "objects")):
        monkeypatch.setenv(name, str(root / ".git" / value))

    past, changes = sources_at(root, revision), changed_files(root, revision)

    assert len(past.sources) == 3
    assert (changes.paths, past.unread, changes.unread) == ([], [], [])
