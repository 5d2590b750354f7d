"""What a run by hand knows of the checkout that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.git.context import read_context
from dockercise_prefect.git.without_login import without_login
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from tests.support.hosts.git_repository import git, make_repository


def test_everything_that_a_checkout_says(tmp_path: Path) -> None:
    """A run by hand knows the branch, the whole commit, its author and message, and the address of `origin`."""
    folder = make_repository(tmp_path / "r", {"sub/f": "1"}, "feature/one")
    git(folder, "commit", "--quiet", "--amend", "--message", "Add ☃\n\nIt snows.\n")
    git(folder, "remote", "add", "origin", "https://user:secret@example.org/owner/name.git")

    known = read_context(folder / "sub")

    assert known == RunContext(
        event=RunEvent.MANUAL,
        commit=git(folder, "rev-parse", "HEAD"),
        branch="feature/one",
        repository="https://example.org/owner/name.git",
        author="A Developer <developer@example.org>",
        message="Add ☃\n\nIt snows.",
    )


def test_no_branch_where_head_is_detached(tmp_path: Path) -> None:
    """A detached HEAD has a commit and no branch."""
    folder = make_repository(tmp_path / "r", {"f": "1"})
    git(folder, "checkout", "--quiet", "--detach")

    known = read_context(folder)

    assert (known.branch, known.commit) == ("", git(folder, "rev-parse", "HEAD"))


def test_the_tag_is_the_highest_version_at_the_commit(tmp_path: Path) -> None:
    """Of several tags at HEAD, annotated or not, the highest version counts; a release is higher than its candidates."""
    folder = make_repository(tmp_path / "r", {"f": "1"})
    for tag in ("v1.9.0", "v1.10.0-rc1"):
        git(folder, "tag", tag)
    git(folder, "tag", "--annotate", "--message", "Release", "v1.10.0")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Go on")
    later = read_context(folder).tag
    git(folder, "checkout", "--quiet", "v1.10.0")

    known = read_context(folder)

    assert (later, known.tag) == ("", "v1.10.0")


def test_outside_of_a_repository_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository, without git, or without the folder, all is empty, and that is not an error."""
    outside = read_context(tmp_path)
    missing = read_context(tmp_path / "missing")
    make_repository(tmp_path / "r", {"f": "1"})
    monkeypatch.setenv("PATH", str(tmp_path))

    without_git = read_context(tmp_path / "r")

    assert outside == missing == without_git == RunContext()


def test_a_repository_without_a_commit_has_a_branch(tmp_path: Path) -> None:
    """A new repository has a branch, and nothing else is known."""
    git(tmp_path, "init", "--quiet", "--initial-branch=begin")

    assert read_context(tmp_path) == RunContext(branch="begin")


def test_nothing_that_the_settings_name_is_started(tmp_path: Path) -> None:
    """Programs that a repository's settings name (filters, monitors, signatures, pagers) are not started."""
    folder = make_repository(tmp_path / "r", {"f": "1", ".gitattributes": "f filter=x"})
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'; cat\n", encoding="utf-8")
    program.chmod(0o755)
    for name in ("filter.x.clean", "core.fsmonitor", "gpg.program", "core.pager", "pager.rev-list", "core.sshCommand"):
        git(folder, "config", name, str(program))
    git(folder, "config", "log.showSignature", "true")
    git(folder, "remote", "add", "origin", "ext::sh -c touch% started")
    (folder / "f").write_text("2", encoding="utf-8")

    known = read_context(folder)

    assert (known.message, known.repository) == ("Begin", "")
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://example.org/o/n.git", "https://example.org/o/n.git"),
        ("https://token@example.org:8443/o/n", "https://example.org:8443/o/n"),
        ("https://user:pass@word@example.org/o/n?private_token=x#y", "https://example.org/o/n"),
        ("ssh://git:secret@example.org:22/o/n", "ssh://git@example.org:22/o/n"),
        ("git@example.org:o/n.git", "git@example.org:o/n.git"),
        ("/srv/git/n@home.git", "/srv/git/n@home.git"),
        ("../n", "../n"),
        ("file:///srv/n@home", "file:///srv/n@home"),
        ("https://user:to/ken@example.org/o/n", ""),
        ("https://to/ken@example.org/o/n", ""),
        ("user:secret@example.org:o/n", ""),
        ("ext::program secret@x", ""),
    ],
)
def test_addresses_without_a_login(address: str, shown: str) -> None:
    """An address is known without passwords and tokens; the user of an ssh address stays, because ssh needs it."""
    assert without_login(address) == shown
