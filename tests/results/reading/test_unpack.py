"""Unpacking the archive of a volume."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import TarInfo

import pytest

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.results.reading.unpack import WrongArchiveError, unpack

OLD = 1_000_000_000.25

Entry = tuple[TarInfo, list[bytes]]


def folder(path: str, mode: int = 0o755, time: float = OLD) -> Entry:
    """A folder in an archive."""
    member = _member(path, tarfile.DIRTYPE, mode)
    member.mtime = time
    return member, []


def file(path: str, data: bytes = b"x", mode: int = 0o644) -> Entry:
    """A file in an archive."""
    member = _member(path, tarfile.REGTYPE, mode)
    member.size = len(data)
    return member, [data[:3], data[3:]]


def symlink(path: str, target: str) -> Entry:
    """A symbolic link in an archive."""
    member = _member(path, tarfile.SYMTYPE, 0o777)
    member.linkname = target
    return member, []


def hard_link(path: str, target: str) -> Entry:
    """Another name of a file in an archive."""
    member = _member(path, tarfile.LNKTYPE, 0o644)
    member.linkname = target
    return member, []


def special(path: str, kind: bytes) -> Entry:
    """A device or a pipe in an archive."""
    return _member(path, kind, 0o666), []


def _member(path: str, kind: bytes, mode: int) -> TarInfo:
    member = TarInfo(path)
    member.type, member.mode, member.mtime = kind, mode, OLD
    member.uid, member.gid = os.geteuid(), os.getegid()
    return member


def mode_of(path: Path) -> int:
    """The permissions of a path itself, without following links."""
    return stat.S_IMODE(path.lstat().st_mode)


def tree(path: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(entry.relative_to(path).as_posix() for entry in path.rglob("*"))


def test_files_come_back_as_they_were(tmp_path: Path) -> None:
    """Contents, modes, both kinds of links and times stay the same; also a folder without write permission gets its files."""
    entries = [
        folder("make", 0o1777),
        folder("make/closed", 0o500, time=5),
        file("make/closed/☃ 'x'", b"snow and more", 0o400),
        file("make/tool", b"#!/bin/sh\n", 0o755),
        file("make/empty", b""),
        symlink("make/to", "closed/☃ 'x'"),
        symlink("make/away", "/etc/passwd"),
        hard_link("make/same", "make/tool"),
        file("make/raw-\udcff", b"raw"),
        file("make/deep/er/without/folders", b"deep"),
    ]

    assert unpack(entries, "make", tmp_path / "new") == []

    new = tmp_path / "new"
    assert (new / "closed" / "☃ 'x'").read_bytes() == b"snow and more"
    assert (mode_of(new / "closed"), (new / "closed").stat().st_mtime) == (0o500, 5)
    assert (mode_of(new / "closed" / "☃ 'x'"), mode_of(new / "tool")) == (0o400, 0o755)
    assert {(new / name).lstat().st_mtime for name in ("tool", "to", "empty")} == {OLD}
    assert ((new / "to").readlink(), (new / "away").readlink()) == (Path("closed/☃ 'x'"), Path("/etc/passwd"))
    assert (new / "same").samefile(new / "tool")
    assert b"raw-\xff" in [os.fsencode(path.name) for path in new.iterdir()]
    assert (new / "deep/er/without/folders").read_bytes() == b"deep"
    assert mode_of(new) == 0o700  # the root of the volume may have any mode
    (new / "closed").chmod(0o700)


def test_a_folder_that_is_empty_is_filled(tmp_path: Path) -> None:
    """An empty folder receives the files and keeps its own mode; a missing one is created with its parents."""
    (tmp_path / "here").mkdir(mode=0o755)

    unpack([folder("v"), file("v/a")], "v", tmp_path / "here")
    unpack([file("v/a")], "v", tmp_path / "not" / "yet")

    assert (tree(tmp_path / "here"), mode_of(tmp_path / "here")) == (["a"], 0o755)
    assert tree(tmp_path / "not" / "yet") == ["a"]


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    """A folder with files, or a file in place of the folder, is refused."""
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(UsageError, match="is not empty"):
        unpack([file("v/a")], "v", tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        unpack([file("v/a")], "v", tmp_path / "mine")

    assert tree(tmp_path) == ["mine"]


@pytest.mark.parametrize(
    "entries",
    [
        [file("../evil")],
        [file("v/../../evil")],
        [file("/evil")],
        [file("//v/evil")],
        [file("other/evil")],
        [file("..")],
        [file("")],
        [file("v")],
        [folder("..", 0o777)],
        [folder("v/..", 0o777)],
        [symlink("v/out", ".."), file("v/out/evil")],
        [symlink("v/out", "/tmp"), folder("v/out", 0o777)],
        [folder("v/out"), symlink("v/out", "..")],
        [symlink("v/out", "../evil"), file("v/out", b"through")],
        [symlink("v", "..")],
        [file("v/a"), file("v/a/b")],
        [file("v/a"), file("v/a")],
        [hard_link("v/a", "../mine")],
        [hard_link("v/a", "/etc/passwd")],
        [hard_link("v/a", "v/../../mine")],
        [symlink("v/out", ".."), hard_link("v/a", "v/out/mine")],
        [hard_link("v/a", "v/nothing")],
        [hard_link("v/a", "v")],
        [file("v/a\0b")],
        [folder("v/d", time=1e300)],
        [folder("v/d", time=float("nan"))],
    ],
    ids=lambda entries: "+".join(f"{member.name!r}" for member, _ in entries),
)
@pytest.mark.parametrize("there", [False, True])
def test_hostile_archives_change_nothing(tmp_path: Path, entries: list[Entry], there: bool) -> None:
    """A path out of the folder, through a link, or with a second entry is an error; nothing of the archive is left anywhere."""
    (tmp_path / "mine").write_text("mine")
    if there:
        (tmp_path / "x").mkdir()

    with pytest.raises(WrongArchiveError):
        unpack([file("v/first"), folder("v/sub", 0o000), *entries, file("v/last")], "v", tmp_path / "x")

    assert tree(tmp_path) == (["mine", "x"] if there else ["mine"])
    assert ((tmp_path / "mine").read_text(), mode_of(tmp_path / "mine") & 0o200) == ("mine", 0o200)


def test_a_link_of_a_link_is_the_link(tmp_path: Path) -> None:
    """A hard link to a symbolic link does not follow it."""
    (tmp_path / "mine").write_text("mine")

    unpack([symlink("v/out", "../mine"), hard_link("v/again", "v/out")], "v", tmp_path / "x")

    assert (tmp_path / "x" / "again").is_symlink()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_left_out(tmp_path: Path, kind: bytes) -> None:
    """A path that is neither file nor folder nor link is not created, and is named."""
    assert unpack([special("v/null", kind), file("v/a")], "v", tmp_path / "x") == ["v/null"]

    assert tree(tmp_path / "x") == ["a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_keeps_owners(tmp_path: Path) -> None:
    """If root unpacks, owners and set-id bits stay the same, also of links."""
    entries = [folder("v/d", 0o2775), file("v/d/f", mode=0o4755), symlink("v/d/l", "f")]
    for member, _ in entries:
        member.uid, member.gid = 1234, 4321

    unpack(entries, "v", tmp_path / "x")

    for name in ("d", "d/f", "d/l"):
        found = (tmp_path / "x" / name).lstat()
        assert (found.st_uid, found.st_gid) == (1234, 4321)
    assert (mode_of(tmp_path / "x/d"), mode_of(tmp_path / "x/d/f")) == (0o2775, 0o4755)


def test_others_own_what_they_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a user unpacks, the files belong to the user, and no set-id bit gives others the user's rights."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    tool = file("v/f", mode=0o6755)
    tool[0].uid = 1234

    unpack([tool], "v", tmp_path / "x")

    assert (mode_of(tmp_path / "x/f"), (tmp_path / "x/f").stat().st_uid) == (0o755, os.getuid())


def failing(error: BaseException) -> Callable[[], Iterator[Entry]]:
    """An archive that ends with an error."""

    def entries() -> Iterator[Entry]:
        yield file("v/a")
        yield folder("v/d", 0o500)
        yield file("v/d/b")
        raise error

    return entries


@pytest.mark.parametrize("error", [StorageError("the bucket is gone"), KeyboardInterrupt(), tarfile.ReadError("cut")], ids=repr)
def test_what_breaks_off_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    """Any error that ends the archive early is raised unchanged, and the folder is as it was before."""
    with pytest.raises(type(error)):
        unpack(failing(error)(), "v", tmp_path / "x")

    assert tree(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """If a file cannot be created, the error has the system's message, the folder and what to do."""
    with pytest.raises(StorageError, match=rf"cannot write to {tmp_path}/x: File name too long\n  hint: "):
        unpack([file("v/" + "n" * 300)], "v", tmp_path / "x")

    assert tree(tmp_path) == []


def test_python_agrees(tmp_path: Path) -> None:
    """Python's own unpacking of the same archive gives the same files."""
    entries = [folder("v", 0o755), folder("v/d", 0o750), file("v/d/f", b"data" * 1000, 0o640), symlink("v/l", "d/f")]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for member, content in entries:
            archive.addfile(member, io.BytesIO(b"".join(content)))
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        archive.extractall(tmp_path / "python")  # noqa: S202  made here

    unpack(entries, "v", tmp_path / "ours")

    ours, theirs = tmp_path / "ours", tmp_path / "python" / "v"
    assert tree(ours) == tree(theirs)
    for name in tree(ours):
        assert (mode_of(ours / name), (ours / name).lstat().st_size) == (
            mode_of(theirs / name),
            (theirs / name).lstat().st_size,
        )
