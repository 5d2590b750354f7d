"""Which files belong to the code."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.archives.tarball import File, Folder, Link
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.files.code_snapshot import code_entries


def git(folder: Path, *arguments: str) -> None:
    """Run git with a name and an address."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def files(folder: Path, **contents: str) -> Path:
    """Write files; `__` in a name is a `/`."""
    for name, text in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty git repository."""
    git(tmp_path, "init", "-q")
    return tmp_path


def paths(root: Path) -> list[str]:
    """The paths that belong to the code."""
    return [entry.path for entry in code_entries(root, print)]


def test_outside_git_everything_is_code(tmp_path: Path) -> None:
    """Without a repository, all files and folders are code, empty folders too."""
    files(tmp_path, b="1", d__a="2", d__e__f="3")
    (tmp_path / "empty").mkdir()

    assert paths(tmp_path) == ["b", "d", "d/a", "d/e", "d/e/f", "empty"]


def test_git_decides_what_is_code(repository: Path) -> None:
    """Tracked and untracked files are code; ignored ones, deleted ones and `.git` are not."""
    files(repository, tracked="1", deleted="2", d__new="3", log__x="4", **{".gitignore": "log/\n*.o\n", "d__x.o": "5"})
    git(repository, "add", "tracked", "deleted")
    (repository / "deleted").unlink()

    assert paths(repository) == [".gitignore", "d", "d/new", "tracked"]


def test_a_root_inside_a_repository_is_only_itself(repository: Path) -> None:
    """A root may be a folder inside a repository; the repository's ignore files still count."""
    files(repository, outside="1", sub__in="2", sub__x__y="3", **{".gitignore": "x\n"})

    assert paths(repository / "sub") == ["in"]


def test_a_root_that_git_ignores_is_no_repository(repository: Path) -> None:
    """If git ignores the whole root, everything in it is code."""
    files(repository, build__a="1", **{".gitignore": "build/\n"})

    assert paths(repository / "build") == ["a"]


def test_submodules_bring_their_files(tmp_path: Path) -> None:
    """The files of a submodule are code, and so are those of a repository that nobody added."""
    inner, outer = files(tmp_path / "inner", a="1"), files(tmp_path / "outer", b="2")
    for folder in (inner, outer):
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "x")
    git(outer, "submodule", "add", "-q", str(inner), "mod")
    git(files(outer / "own", c="3", skip="4", **{".gitignore": "skip"}), "init", "-q")

    assert paths(outer) == [".gitmodules", "b", "mod", "mod/a", "own", "own/.gitignore", "own/c"]


@pytest.mark.parametrize("with_git", [True, False])
def test_dockerciseignore_takes_more_away(tmp_path: Path, with_git: bool) -> None:
    """`.dockerciseignore` has git's syntax and works with and without a repository."""
    files(
        tmp_path,
        keep="1",
        d__big="2",
        d__small="3",
        **{"x.bin": "4", "y.bin": "5", ".dockerciseignore": "d/big\n*.bin\n!y.bin\n"},
    )
    if with_git:
        git(tmp_path, "init", "-q")

    assert paths(tmp_path) == [".dockerciseignore", "d", "d/small", "keep", "y.bin"]


def test_modes_and_links_are_kept_and_root_owns_all(tmp_path: Path) -> None:
    """An executable stays executable and a link stays a link, also if it leads outside or nowhere."""
    files(tmp_path, d__script="x").joinpath("d/script").chmod(0o751)
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    (tmp_path / "folder").symlink_to("d")

    entries = {entry.path: entry for entry in code_entries(tmp_path, print)}

    assert isinstance(entries["d"], Folder)
    assert isinstance(entries["d/script"], File)
    assert entries["d/script"].mode == 0o751
    links = {path: entry.target for path, entry in entries.items() if isinstance(entry, Link)}
    assert links == {"folder": "d", "link": "/nowhere/at/all"}
    assert "folder/script" not in entries
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}


def test_any_name_is_a_name(repository: Path) -> None:
    """Spaces, quotes, line feeds and bytes that are not UTF-8 are nothing special in a file name."""
    names = [b"a b", b"it's", b"line\nfeed", "☃".encode(), b"\xff"]
    for name in names:
        Path(os.fsdecode(bytes(repository) + b"/" + name)).write_text("x")

    assert paths(repository) == sorted(os.fsdecode(name) for name in names)


def test_pipes_and_sockets_are_no_code(tmp_path: Path) -> None:
    """Anything that is not a file, folder or link is left out and named."""
    os.mkfifo(files(tmp_path, a="1") / "pipe")
    said: list[str] = []

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "it.sock"))
        found = [entry.path for entry in code_entries(tmp_path, said.append)]

    assert found == ["a"]
    assert said == ["left out of the code, because sockets, pipes and devices cannot be copied: it.sock, pipe"]


def test_the_variables_of_a_git_hook_do_not_mislead(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Inside a hook, git looks at the hook's repository; the code is still that of the root."""
    files(repository, a="1")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))

    assert paths(repository) == ["a"]


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All unreadable files are named together, before anything is copied."""
    files(tmp_path, a="1", b="2", c="3")
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name == "b")  # root may read everything

    with pytest.raises(EngineError, match=r"cannot be read: a, c") as caught:
        code_entries(tmp_path, print)

    assert ".dockerciseignore" in str(caught.value)


def test_a_file_that_grows_is_copied_as_it_was(tmp_path: Path) -> None:
    """A log that grows during the copy does not break it."""
    log = files(tmp_path, log="12") / "log"
    (entry,) = code_entries(tmp_path, print)
    log.write_text("12345")

    assert isinstance(entry, File)
    assert b"".join(entry.content()) == b"12"


def test_the_root_is_never_written_to(repository: Path) -> None:
    """Listing the code changes nothing, not even git's index."""
    files(repository, a="1")
    git(repository, "add", "a")
    os.utime(repository / "a", (1, 1))
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}

    code_entries(repository, print)

    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_a_repository_that_git_cannot_read_is_an_error(tmp_path: Path) -> None:
    """A broken repository is an error and not treated as a plain folder."""
    files(tmp_path, a="1", **{".git": "gitdir: /nowhere"})

    with pytest.raises(EngineError, match="git cannot list"):
        code_entries(tmp_path, print)


@pytest.mark.parametrize("target", ["../outside", "/dev/zero", "nowhere", ".dockerciseignore"])
def test_an_ignore_file_that_leads_elsewhere_is_not_read(tmp_path: Path, target: str) -> None:
    """A link in the repository cannot reveal other files of this machine, and a loop of links ends."""
    (tmp_path / "outside").write_text("a\n")
    root = files(tmp_path / "root", a="1")
    (root / ".dockerciseignore").symlink_to(target)

    assert paths(root) == [".dockerciseignore", "a"]


def test_an_ignore_file_may_be_a_link_inside(tmp_path: Path) -> None:
    """A link to a file in the repository is followed, since it reveals nothing new."""
    root = files(tmp_path / "root", a="1", rules="a\n")
    (root / ".dockerciseignore").symlink_to("rules")

    assert paths(root) == [".dockerciseignore", "rules"]


@pytest.mark.parametrize(("text", "said"), [("!\n", "is not valid"), ("a\n" * 600_000, "has more than")])
def test_an_ignore_file_that_is_none_is_said(tmp_path: Path, text: str, said: str) -> None:
    """A pattern that is not valid and a file that is too long are errors."""
    root = files(tmp_path, **{".dockerciseignore": text})

    with pytest.raises(EngineError, match=said):
        paths(root)


def test_an_ignore_file_that_is_a_pipe_is_said(tmp_path: Path) -> None:
    """The pipe is refused without waiting for data."""
    os.mkfifo(tmp_path / ".dockerciseignore")

    with pytest.raises(EngineError, match="is not a file"):
        paths(tmp_path)


def test_an_ignore_file_may_meet_any_name(tmp_path: Path) -> None:
    """Names that are not text, and letters of several bytes, are matched like all others."""
    root = files(tmp_path, **{"\udcff": "1", "grün": "2", "grau": "3", ".dockerciseignore": "gr*n\n…\r\n"})

    assert paths(root) == [".dockerciseignore", "grau", "\udcff"]
