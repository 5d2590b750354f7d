"""Which changed paths are files of the code. Git is real."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dockercise_prefect.cli.watching.code_changes import code_changes, is_definition
from tests.runtime.files.test_code_snapshot import files, git


def changes(root: Path, paths: Iterable[str]) -> list[str]:
    """The files of the code among paths below the root."""
    return code_changes(root, [str(root / path) for path in paths])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that ignores something."""
    git(tmp_path, "init", "-q")
    return files(tmp_path, **{".gitignore": "*.log\nbuild/\n"})


def test_without_git_every_file_counts(tmp_path: Path) -> None:
    """Paths outside the root, and the root itself, do not."""
    files(tmp_path, root__src__a="", other="")

    found = code_changes(tmp_path / "root", [str(tmp_path / path) for path in ("root/src/a", "root/gone", "root", "other")])

    assert found == ["gone", "src/a"]


def test_what_git_ignores_does_not_count(repository: Path) -> None:
    """Neither do files of git itself. A file that git tracks counts although a rule ignores it, also if it is gone."""
    files(repository, build__x="", build__kept="", src__a="")
    (repository / "kept.log").write_text("")
    git(repository, "add", "--force", "kept.log", "build/kept")
    (repository / "build/kept").unlink()

    found = changes(repository, ["src/a", "build/x", "build/kept", "a.log", "kept.log", ".git/index", "src/new"])

    assert found == ["build/kept", "kept.log", "src/a", "src/new"]


def test_an_ignored_folder_that_is_gone_does_not_count(repository: Path) -> None:
    """The rule is for folders only, and nothing is left that says that it was one."""
    assert changes(repository, ["build", "src"]) == ["src"]


def test_a_root_below_the_repository_has_its_rules(repository: Path) -> None:
    """Paths are relative to the root, whatever the repository's folder is."""
    files(repository, shop__src__a="")

    assert changes(repository / "shop", ["src/a", "src/a.log"]) == ["src/a"]


def test_submodules_have_their_own_rules(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The rules of the repository around them do not count there, and theirs do not count around them."""
    inner = tmp_path_factory.mktemp("inner")
    git(inner, "init", "-q")
    files(inner, **{".gitignore": "*.tmp\n"})
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "first")
    git(repository, "submodule", "add", "-q", str(inner), "sub")

    assert changes(repository, ["sub/a", "sub/a.tmp", "sub/a.log", "a.log", "a.tmp"]) == ["a.tmp", "sub/a", "sub/a.log"]


def test_an_ignored_root_is_taken_as_it_is(repository: Path) -> None:
    """As in a run: if git ignores the root as a whole, git does not say what belongs to the code."""
    files(repository, build__a="")

    assert changes(repository / "build", ["a", "b.log"]) == ["a", "b.log"]


def test_what_dockerciseignore_excludes_does_not_count(tmp_path: Path) -> None:
    """Files of the pipeline do, since they are read all the same. A file that is not valid excludes nothing."""
    files(tmp_path, **{".dockerciseignore": "docs\n*.yaml\n"})
    paths = ["docs/page.md", "src/a", "shop.dockercise.yaml", "other.yaml"]

    assert changes(tmp_path, paths) == ["shop.dockercise.yaml", "src/a"]
    (tmp_path / ".dockerciseignore").unlink()
    (tmp_path / ".dockerciseignore").mkdir()
    assert changes(tmp_path, paths) == sorted(paths)


@pytest.mark.parametrize(
    "name", [".main.go.swp", ".main.go.swx", "main.go~", ".#main.go", "#main.go#", "4913", "main.go___jb_tmp___"]
)
def test_files_that_editors_make_do_not_count(name: str, tmp_path: Path) -> None:
    """They come and go while a file is open."""
    assert changes(tmp_path, [f"src/{name}", "src/main.go"]) == ["src/main.go"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("a.dockercise.yaml", True),
        ("b/c.dockercise.yml", True),
        (".gitignore", True),
        ("a/.dockerciseignore", True),
        ("a.yaml", False),
    ],
)
def test_files_of_the_pipeline_are_known(path: str, answer: bool) -> None:
    """So are files that decide which files are of the pipeline."""
    assert is_definition(path) is answer
