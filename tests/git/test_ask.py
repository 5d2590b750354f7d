"""The past of a repository, read without changing the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockercise_prefect.errors import DefinitionError, UsageError
from dockercise_prefect.frontend import past_sources as module
from dockercise_prefect.frontend.past_sources import sources_at
from dockercise_prefect.git.ask import current_commit, find_revision
from dockercise_prefect.git.changes import changed_files
from tests.support.hosts.git_repository import git, make_repository

FILES = {
    "b.dockercise.yml": "b: {img: x}\n",
    "a/a.dockercise.yaml": "a: {img: x}\n",
    "node_modules/m/c.dockercise.yaml": "c: {img: x}\n",
    "notes.md": "notes\n",
    "sub/s.dockercise.yaml": "s: {img: x}\n",
    ".gitignore": "ignored\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit that has changed since: the working tree has nothing of that commit any more."""
    folder = make_repository(tmp_path / "r", FILES)
    (folder / "b.dockercise.yml").write_text("other: {img: x}\n")
    return folder


def test_sources_are_those_of_the_commit(repository: Path) -> None:
    """The files are read as committed, in path order, by the rules of the working tree."""
    sources = sources_at(repository, find_revision(repository, "HEAD")).sources

    assert [source.path for source in sources] == ["a/a.dockercise.yaml", "b.dockercise.yml", "sub/s.dockercise.yaml"]
    assert sources[1].data == FILES["b.dockercise.yml"].encode()


def test_a_root_below_the_repository(repository: Path) -> None:
    """For a root below the repository, only its files count, with paths relative to it."""
    (repository / "sub" / "new").write_text("")
    revision = find_revision(repository / "sub", "master")

    sources = sources_at(repository / "sub", revision).sources

    assert [source.path for source in sources] == ["s.dockercise.yaml"]
    assert changed_files(repository / "sub", revision).paths == ["new"]


def test_changed_files(repository: Path) -> None:
    """Changed, deleted, renamed and untracked files count; ignored files do not."""
    git(repository, "mv", "notes.md", "moved.md")
    (repository / "a" / "a.dockercise.yaml").unlink()
    (repository / "ü b\n").write_text("")
    (repository / "ignored").write_text("")

    changed = changed_files(repository, find_revision(repository, "HEAD")).paths

    assert changed == ["a/a.dockercise.yaml", "b.dockercise.yml", "moved.md", "notes.md", "ü b\n"]


def test_a_touched_file_is_not_changed(repository: Path) -> None:
    """A file with a new time but the same content is unchanged, and the index stays unchanged."""
    os.utime(repository / "notes.md", (1, 1))
    before = (repository / ".git" / "index").read_bytes()

    changed = changed_files(repository, find_revision(repository, "HEAD")).paths

    assert changed == ["b.dockercise.yml"]
    assert (repository / ".git" / "index").read_bytes() == before


def test_a_change_right_after_the_commit(repository: Path) -> None:
    """A file that got another text of the same length at the moment of the commit has changed."""
    git(repository, "config", "core.trustctime", "false")
    notes, moment = repository / "notes.md", (1_700_000_000, 1_700_000_000)
    os.utime(notes, moment)
    git(repository, "add", "notes.md")
    notes.write_text("NOTES\n")
    for path in (notes, repository / ".git" / "index"):
        os.utime(path, moment)

    changed = changed_files(repository, find_revision(repository, "HEAD")).paths

    assert "notes.md" in changed


@pytest.mark.parametrize("name", ["nowhere", "", "--help", "--output=x", "HEAD^{tree}", "-", "HEAD..master", "\u2603"])
def test_what_is_no_revision(repository: Path, name: str) -> None:
    """A name that is not a commit, for example an option, is refused with a hint and leaves nothing behind."""
    before = sorted(repository.iterdir())

    with pytest.raises(UsageError) as caught:
        find_revision(repository, name)

    assert "is not a revision of this repository" in caught.value.message
    assert caught.value.hint
    assert sorted(repository.iterdir()) == before


def test_a_revision_that_a_shallow_clone_lacks(repository: Path, tmp_path: Path) -> None:
    """In a shallow clone the error reports it, and shows how to get the rest."""
    git(repository, "commit", "--all", "--message", "second")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")

    with pytest.raises(UsageError) as caught:
        find_revision(tmp_path / "shallow", "HEAD~1")

    assert "shallow clone" in caught.value.message
    assert "--unshallow" in (caught.value.hint or "")


def test_outside_a_repository(tmp_path: Path) -> None:
    """Outside a repository, the error says that the folder is not a repository."""
    with pytest.raises(UsageError, match="is not in a git repository"):
        find_revision(tmp_path, "HEAD")


def test_a_hook_does_not_mislead(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If git has set variables for a hook of another repository, the answer is still for this one."""
    other = make_repository(tmp_path / "other", {"x": ""})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))

    revision = find_revision(repository, "HEAD")

    monkeypatch.delenv("GIT_DIR")
    assert revision.commit == git(repository, "rev-parse", "HEAD")


def test_a_file_that_was_too_big(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too big to be read today is not read from the past either."""
    monkeypatch.setattr(module, "MAX_BYTES", 5)

    with pytest.raises(DefinitionError, match="DK005"):
        sources_at(repository, find_revision(repository, "HEAD"))


def test_the_commit_of_the_files_is_known(tmp_path: Path) -> None:
    """A clean checkout has its commit, a changed one is marked as different; without a repository, nothing is known."""
    folder = make_repository(tmp_path / "clean", FILES)
    commit = git(folder, "rev-parse", "HEAD").strip()[:12]

    assert current_commit(folder) == commit
    assert current_commit(folder / "sub") == commit
    (folder / "notes.md").write_text("other notes\n")
    assert current_commit(folder) == f"{commit}-dirty"
    assert current_commit(tmp_path) is None


def test_a_commit_can_be_had_without_starting_a_filter(tmp_path: Path) -> None:
    """Comparing files starts the filters in a repository's settings; without a comparison no filter starts."""
    folder = make_repository(tmp_path / "r", {"f": "1", ".gitattributes": "f filter=x"})
    sign = tmp_path / "started"
    git(folder, "config", "filter.x.clean", f"touch '{sign}'; cat")
    (folder / "f").write_text("2")
    commit = git(folder, "rev-parse", "--short=12", "HEAD")

    assert current_commit(folder, compared=False) == commit
    assert not sign.exists()
    assert current_commit(folder) == f"{commit}-dirty"
    assert sign.exists()
