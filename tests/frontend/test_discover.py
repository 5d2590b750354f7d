"""Which files belong to a pipeline."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.frontend.discover import ignored_sources, read_sources
from dockercise_prefect.frontend.findings import Findings

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": "/nonexistent"}


def _touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


def _found(root: Path) -> list[str]:
    findings = Findings()
    paths = [source.path for source in read_sources(root, findings)]
    assert findings.in_order() == ()
    return paths


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository."""
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


def test_files_come_in_path_order(tmp_path: Path) -> None:
    """Both endings are found at any depth, folder by folder, in the order of their paths; other files are not found."""
    _touch(
        tmp_path,
        "b.dockercise.yml",
        "a/z.dockercise.yaml",
        "a.dockercise.yaml",
        "a/b/c.dockercise.yaml",
        "x.yaml",
        ".dockercise.yaml",
    )

    assert _found(tmp_path) == [
        ".dockercise.yaml",
        "a/b/c.dockercise.yaml",
        "a/z.dockercise.yaml",
        "a.dockercise.yaml",
        "b.dockercise.yml",
    ]


def test_git_and_node_modules_are_skipped(tmp_path: Path) -> None:
    """`.git` and `node_modules` are skipped at any depth."""
    _touch(tmp_path, "node_modules/a.dockercise.yaml", "x/.git/a.dockercise.yaml", "x/y/node_modules/m/a.dockercise.yaml")
    _touch(tmp_path, "x/a.dockercise.yaml", "x/node_modules.dockercise.yaml")

    assert _found(tmp_path) == ["x/a.dockercise.yaml", "x/node_modules.dockercise.yaml"]


def test_what_git_ignores_is_skipped(repository: Path) -> None:
    """Ignored files and folders are skipped and untracked ones are not; a tracked file counts even if a pattern matches it."""
    (repository / ".gitignore").write_text("build/\nlocal*\n")
    _touch(repository, "a.dockercise.yaml", "build/b.dockercise.yaml", "d/local.dockercise.yaml", "local-kept.dockercise.yaml")
    subprocess.run(["git", "-C", str(repository), "add", "--force", "local-kept.dockercise.yaml"], check=True)

    assert _found(repository) == ["a.dockercise.yaml", "local-kept.dockercise.yaml"]


def test_root_below_the_repository(repository: Path) -> None:
    """A root inside a repository follows the ignore files above it."""
    (repository / ".gitignore").write_text("/sub/out/\n")
    _touch(repository, "sub/a.dockercise.yaml", "sub/out/b.dockercise.yaml", "c.dockercise.yaml")

    assert _found(repository / "sub") == ["a.dockercise.yaml"]


def test_an_ignored_root_is_read(repository: Path) -> None:
    """A root that is itself ignored is read, since it was named on purpose."""
    (repository / ".gitignore").write_text("out/\n")
    _touch(repository, "out/a.dockercise.yaml", "out/deep/b.dockercise.yaml")

    assert _found(repository / "out") == ["a.dockercise.yaml", "deep/b.dockercise.yaml"]


def test_ignored_files_are_known(repository: Path) -> None:
    """If nothing is found, the files that git ignores can be named."""
    (repository / ".gitignore").write_text("*.yaml\n")
    _touch(repository, "a.dockercise.yaml", "sub/b.dockercise.yaml", "other.yaml")

    assert _found(repository) == []
    assert ignored_sources(repository) == ["a.dockercise.yaml", "sub/b.dockercise.yaml"]


def test_variables_of_a_git_hook_do_not_mislead(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a git hook, whose environment names another repository, the root's own repository is used."""
    (repository / ".gitignore").write_text("out/\n")
    _touch(repository, "a.dockercise.yaml", "out/b.dockercise.yaml")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")

    assert _found(repository) == ["a.dockercise.yaml"]


def test_a_repositorys_settings_start_no_program(repository: Path) -> None:
    """A monitor in a repository's own settings is not run."""
    monitor, sign = repository / "monitor", repository / "started"
    monitor.write_text(f"#!/bin/sh\ntouch '{sign}'\n")
    monitor.chmod(0o755)
    subprocess.run(["git", "-C", repository, "config", "core.fsmonitor", monitor], check=True)
    _touch(repository, "a.dockercise.yaml")

    found = _found(repository)

    assert found == ["a.dockercise.yaml"]
    assert not sign.exists()


def test_git_that_fails_is_a_warning(repository: Path) -> None:
    """If git fails, everything is read and a warning gives the reason."""
    (repository / ".git" / "HEAD").unlink()
    _touch(repository, "a.dockercise.yaml")
    findings = Findings()

    paths = [source.path for source in read_sources(repository, findings)]

    assert paths == ["a.dockercise.yaml"]
    assert [str(finding.code) for finding in findings.in_order()] == ["DK014"]
    assert not findings.failed


def test_git_that_is_missing_is_a_warning(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository on a machine without git, everything is read and a warning gives the reason."""
    _touch(repository, "a.dockercise.yaml")
    monkeypatch.setenv("PATH", "/nonexistent")
    findings = Findings()

    paths = [source.path for source in read_sources(repository, findings)]

    assert paths == ["a.dockercise.yaml"]
    assert "git is not installed" in findings.in_order()[0].message


def test_links_inside_are_followed_once(tmp_path: Path) -> None:
    """A link to a file that is found anyway adds nothing; one to a skipped or differently named file is followed."""
    _touch(tmp_path, "real/a.dockercise.yaml", "other.txt", "node_modules/m/n.dockercise.yaml")
    (tmp_path / "again").symlink_to("real")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "b.dockercise.yaml").symlink_to("real/a.dockercise.yaml")
    (tmp_path / "c.dockercise.yaml").symlink_to("other.txt")
    (tmp_path / "module").symlink_to("node_modules/m")

    assert _found(tmp_path) == ["c.dockercise.yaml", "module/n.dockercise.yaml", "real/a.dockercise.yaml"]


def test_links_that_leave_or_lead_nowhere_are_not_followed(tmp_path: Path) -> None:
    """A link out of the root, and one to nothing (as editors leave them), do not belong to the pipeline."""
    _touch(tmp_path, "outside/x.dockercise.yaml", "root/a.dockercise.yaml")
    root = tmp_path / "root"
    (root / "out").symlink_to("../outside")
    (root / "x.dockercise.yaml").symlink_to("../outside/x.dockercise.yaml")
    (root / ".#a.dockercise.yaml").symlink_to("someone@host.1234")
    (root / "self").symlink_to("self")

    assert _found(root) == ["a.dockercise.yaml"]


def test_links_that_nobody_lets_us_read_are_not_followed(tmp_path: Path) -> None:
    """A link through another user's process in /proc, which may be unreadable, leads nowhere."""
    _touch(tmp_path, "a.dockercise.yaml")
    (tmp_path / "theirs").symlink_to("/proc/1/cwd")
    (tmp_path / "b.dockercise.yaml").symlink_to("/proc/1/cwd/b.dockercise.yaml")

    assert _found(tmp_path) == ["a.dockercise.yaml"]


def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    """A root that is itself a link is read as the folder behind it."""
    _touch(tmp_path, "real/a.dockercise.yaml", "real/d/b.dockercise.yaml")
    (tmp_path / "link").symlink_to("real")

    assert _found(tmp_path / "link") == ["a.dockercise.yaml", "d/b.dockercise.yaml"]


def test_equal_files_are_both_read(tmp_path: Path) -> None:
    """Two names of one inode are two files, since a tool that saves space may have made them."""
    _touch(tmp_path, "a.dockercise.yaml")
    (tmp_path / "b.dockercise.yaml").hardlink_to(tmp_path / "a.dockercise.yaml")

    assert _found(tmp_path) == ["a.dockercise.yaml", "b.dockercise.yaml"]


def test_what_is_no_file_is_left(tmp_path: Path) -> None:
    """A folder with such a name is still a folder, and a pipe is not read."""
    _touch(tmp_path, "folder.dockercise.yaml/a.dockercise.yaml")
    os.mkfifo(tmp_path / "pipe.dockercise.yaml")

    assert _found(tmp_path) == ["folder.dockercise.yaml/a.dockercise.yaml"]


def test_names_that_no_terminal_can_show(tmp_path: Path) -> None:
    """A file name with control characters or bytes that are not text is shown escaped, and the file is read."""
    (tmp_path / os.fsdecode(b"\xff\n.dockercise.yaml")).write_text("a: {}")

    (source,) = read_sources(tmp_path, Findings())

    assert source.path == "\\xff\\n.dockercise.yaml"
    assert source.data == b"a: {}"
