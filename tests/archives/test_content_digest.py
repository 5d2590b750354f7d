"""Digests of volumes: what changes them, and what does not."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.archives.content_digest import content_digested
from tests.support.deploy_images import ROOT

PAGE = ROOT / "docs/digests.md"

Files = dict[str, tarfile.TarInfo]

PARTS = st.one_of(
    st.sampled_from(["a", "a.b", "b", "Ä", "z" * 120, "new\nline", "\udcff"]),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8),
).filter(lambda part: part not in {".", ".."})


def documented(data: bytes) -> str:
    """The digest as the program in the documentation computes it."""
    code = re.search(r"```python\n(.*?)\nif __name__", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102  the documentation's own program
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        found: str = names["content_digest"](archive)
    return found


def digest(data: bytes, root: str = "stage", piece: int = 7_000) -> str:
    """The digest that the package computes; the stream comes out unchanged."""
    found: list[str] = []
    stream = content_digested((data[start : start + piece] for start in range(0, len(data), piece)), root, found.append)
    assert b"".join(stream) == data
    return found[0]


def entry(path: str, kind: bytes = tarfile.REGTYPE, **said: Any) -> tarfile.TarInfo:
    """A member of the volume `stage`."""
    member = tarfile.TarInfo(f"stage/{path}" if path else "stage")
    member.type = kind
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for name, value in said.items():
        setattr(member, name, value)
    return member


def archive(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as target:
        for member, content in members:
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


VOLUME = [
    (entry("", tarfile.DIRTYPE), b""),
    (entry("bin", tarfile.DIRTYPE), b""),
    (entry("bin/tool", mode=0o755), b"#!/bin/sh\n"),
    (entry("bin.txt"), b"text"),
    (entry("link", tarfile.SYMTYPE, linkname="bin/tool"), b""),
]


@st.composite
def volumes(draw: st.DrawFn) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Volumes with folders, files, symbolic and hard links, in the order of a walk."""
    paths = draw(st.sets(st.lists(PARTS, min_size=1, max_size=3).map("/".join), max_size=8))
    folders = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
    members: list[tuple[tarfile.TarInfo, bytes]] = [(entry("", tarfile.DIRTYPE), b"")]
    files: list[str] = []
    for path in sorted(paths | folders, key=lambda path: path.split("/")):
        owner: dict[str, Any] = {"uid": draw(st.integers(0, 3_000_000)), "gid": draw(st.integers(0, 9))}
        kind = "folder" if path in folders else draw(st.sampled_from(["folder", "file", "symbolic", "hard"]))
        if kind == "folder":
            members.append((entry(path, tarfile.DIRTYPE, mode=draw(st.sampled_from([0o755, 0o1777])), **owner), b""))
        elif kind == "symbolic":
            members.append((entry(path, tarfile.SYMTYPE, linkname=draw(PARTS), **owner), b""))
        elif kind == "hard" and files:
            target = draw(st.sampled_from(files))
            members.append((entry(path, tarfile.LNKTYPE, linkname=f"stage/{target}"), b""))
        else:
            files.append(path)
            members.append((entry(path, mode=draw(st.sampled_from([0o600, 0o4755])), **owner), draw(st.binary(max_size=40))))
    return members


@given(volumes(), st.randoms(use_true_random=False))
def test_the_digest_is_what_the_documentation_says(volume: list[tuple[tarfile.TarInfo, bytes]], random: Random) -> None:
    """The documented program computes the same digest, whatever the order, the times and the format of the archive are."""
    plain = archive(volume)
    shuffled = random.sample(volume, len(volume))
    shuffled.sort(key=lambda member: member[0].islnk())  # an archive has a file before the hard links to it
    for member, _ in shuffled:
        member.mtime = random.randrange(2**31)

    found = digest(plain)

    assert found == documented(plain)
    assert found == digest(archive(shuffled, tarfile.GNU_FORMAT))


def changed(path: str, content: bytes | None = None, **said: Any) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The volume with one member changed."""
    result = []
    for member, before in VOLUME:
        copy = tarfile.TarInfo.frombuf(member.tobuf(), "utf-8", "surrogateescape")
        is_meant = copy.name == f"stage/{path}".rstrip("/")
        for name, value in said.items() if is_meant else ():
            setattr(copy, name, value)
        result.append((copy, content if is_meant and content is not None else before))
    return result


@pytest.mark.parametrize(
    "other",
    [
        changed("bin/tool", mode=0o775),
        changed("bin/tool", mode=0o4755),
        changed("bin/tool", uid=1),
        changed("bin/tool", gid=1),
        changed("bin/tool", content=b"#!/bin/sh\r"),
        changed("bin/tool", name="stage/bin/tools"),
        changed("bin", mode=0o700),
        changed("", mode=0o1777),
        changed("link", linkname="bin/tools"),
        changed("link", type=tarfile.REGTYPE),
        VOLUME[:-1],
        VOLUME[1:],
    ],
    ids=["mode", "set-id", "owner", "group", "byte", "name", "folder", "root", "target", "kind", "missing", "no root"],
)
def test_what_differs_has_another_digest(other: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """A mode, an owner, a name, a byte, a target, a kind or a missing file changes the digest."""
    assert digest(archive(other)) != digest(archive(changed("nothing")))


def test_whichever_name_of_a_file_comes_first() -> None:
    """A file with two names has one digest, whichever name is the file in an archive."""
    one = [(entry("a"), b"same"), (entry("b", tarfile.LNKTYPE, linkname="stage/a"), b"")]
    other = [(entry("b"), b"same"), (entry("a", tarfile.LNKTYPE, linkname="stage/b"), b"")]

    assert digest(archive(one)) == digest(archive(other)) == documented(archive(other))


def test_two_files_are_not_one_file() -> None:
    """Two files with the same content differ from one file with two names."""
    two = [(entry("a"), b"same"), (entry("b"), b"same")]
    one = [(entry("a"), b"same"), (entry("b", tarfile.LNKTYPE, linkname="stage/a"), b"")]

    assert digest(archive(two)) != digest(archive(one))


def test_holes_count_as_zeros(tmp_path: Path) -> None:
    """A file with holes has the same digest as one with written zeros, also if the archive leaves the holes out."""
    folder = tmp_path / "stage"
    folder.mkdir()
    with (folder / "disk").open("wb") as file:
        file.seek(3_000_000)
        file.write(b"end")
        file.truncate(5_000_000)
    options = ["--create", "--owner=0", "--group=0", "--sort=name", "-C", str(tmp_path), "stage"]
    sparse = subprocess.run(["tar", "--sparse", "--format=gnu", *options], check=True, capture_output=True).stdout
    posix = subprocess.run(["tar", "--sparse", "--format=posix", *options], check=True, capture_output=True).stdout
    whole = subprocess.run(["tar", *options], check=True, capture_output=True).stdout
    shutil.rmtree(folder)

    assert len(sparse) < 100_000 < len(whole)
    assert digest(sparse) == digest(posix) == digest(whole) == documented(whole)


@pytest.mark.parametrize(
    "members",
    [
        [(tarfile.TarInfo("other/file"), b"")],
        [(entry("a", tarfile.LNKTYPE, linkname="stage/gone"), b"")],
        [(entry("a", tarfile.LNKTYPE, linkname="stage/a"), b"")],
        [(entry("a", tarfile.LNKTYPE, linkname="elsewhere/a"), b"")],
    ],
    ids=["of another volume", "link to nothing", "link to itself", "link to another volume"],
)
def test_what_is_not_a_volume_has_no_digest(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """A path of another volume, or a hard link without its file, is refused."""
    with pytest.raises(tarfile.TarError):
        digest(archive(members))


def test_a_cut_archive_has_no_digest() -> None:
    """An archive that is incomplete gives no digest."""
    with pytest.raises(tarfile.TarError):
        digest(archive(VOLUME)[:2_000])


def many(count: int) -> Iterator[bytes]:
    """A tar stream of many empty files, in the order of a walk."""
    yield entry("", tarfile.DIRTYPE).tobuf()
    for number in range(count):
        if number % 1000 == 0:
            yield entry(f"{number // 1000:04}", tarfile.DIRTYPE).tobuf()
        yield entry(f"{number // 1000:04}/{number % 1000:04}").tobuf()
    yield bytes(2 * tarfile.BLOCKSIZE)


@pytest.mark.acceptance
def test_a_million_files_take_little_memory() -> None:
    """The digest of a million files increases the memory of the process by less than 64 MB."""
    found: list[str] = []

    before = peak()
    for _ in content_digested(many(1_000_000), "stage", found.append):
        pass

    assert found[0].startswith("sha256:")
    assert peak() - before < 64 * 1024


def peak() -> int:
    """The largest memory that this process has had, in KiB (proc(5), VmHWM)."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])
