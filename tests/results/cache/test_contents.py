"""What stages have left, by digest."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from dockercise_prefect.archives.content_digest import content_digested, digest_text
from dockercise_prefect.results.cache.contents import Contents, DamagedContentError
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import NotStoredError

TEXT = b"version 7\n" * 1000
DIGEST = digest_text(sha256(TEXT).digest())
OTHER = f"sha256:{'0' * 64}"

Member = tuple[tarfile.TarInfo, bytes]


def archive(root: str) -> bytes:
    """A volume with a file of two names, a link, and a name that is not UTF-8."""
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, kind, target in (
                (root, tarfile.DIRTYPE, ""),
                (f"{root}/file", tarfile.REGTYPE, ""),
                (f"{root}/the same", tarfile.LNKTYPE, f"{root}/file"),
                (f"{root}/link", tarfile.SYMTYPE, "../elsewhere"),
                (f"{root}/{'long' * 40}-\udcff", tarfile.REGTYPE, ""),
            ):
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.mode, member.uid = kind, target, 0o750, 1000
                member.size = 3 if kind == tarfile.REGTYPE else 0
                tar.addfile(member, io.BytesIO(b"abc"))
        return file.getvalue()


def digest_of(files: bytes, root: str) -> str:
    """The digest of a volume."""
    found: list[str] = []
    for _ in content_digested([files], root, found.append):
        pass
    return found[0]


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """Contents in an empty folder."""
    return Contents(FolderObjects(tmp_path))


def only_file(folder: Path) -> Path:
    """The one file in a folder."""
    (found,) = [path for path in folder.rglob("*") if path.is_file()]
    return found


def test_an_output_comes_back(contents: Contents) -> None:
    """What was printed is the same, byte for byte."""
    contents.keep_output(DIGEST, [TEXT[:10], TEXT[10:]])

    assert b"".join(contents.output(DIGEST)) == TEXT


def test_a_volume_comes_back_for_any_stage(contents: Contents) -> None:
    """A volume can be of a stage of another name. Names, modes, owners and links are the same."""
    digest = digest_of(archive("build"), "build")
    contents.keep_volume(digest, "build", [archive("build")])

    found = b"".join(contents.volume(digest, "make all"))

    assert digest_of(found, "make all") == digest


def test_the_same_content_is_stored_once(contents: Contents, tmp_path: Path) -> None:
    """Two stages that leave the same take the space of one."""
    for stage in ("build", "again"):
        contents.keep_volume(digest_of(archive("build"), "build"), stage, [archive(stage)])

    assert list(contents.sizes().values()) == [only_file(tmp_path).stat().st_size]


def test_what_is_not_there_is_said(contents: Contents) -> None:
    """A content that was removed is as if it had never been there."""
    contents.keep_output(DIGEST, [TEXT])
    contents.remove(DIGEST)
    contents.remove(DIGEST)

    with pytest.raises(NotStoredError):
        next(contents.output(DIGEST))


def test_a_stage_that_breaks_off_leaves_nothing(contents: Contents) -> None:
    """If a volume cannot be read to its end, no part of it is stored."""

    def breaking_off() -> Iterator[bytes]:
        yield archive("build")[:600]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        contents.keep_volume(DIGEST, "build", breaking_off())

    assert contents.sizes() == {}


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-7],
        lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
        lambda content: content + b"more",
        lambda _content: b"",
    ],
    ids=["cut off", "another bit", "more", "empty"],
)
def test_a_damaged_content_is_never_used(contents: Contents, tmp_path: Path, damage: Damage) -> None:
    """What does not match its digest is an error at the end of reading, and is thrown away."""
    contents.keep_output(DIGEST, [TEXT])
    file = only_file(tmp_path)
    file.write_bytes(damage(file.read_bytes()))

    with pytest.raises(DamagedContentError, match=DIGEST):
        list(contents.output(DIGEST))

    assert contents.sizes() == {}


def test_a_content_under_the_digest_of_another_is_never_used(contents: Contents) -> None:
    """A whole content that is not the one that was asked for is thrown away too."""
    contents.keep_output(DIGEST, [b"something else"])
    contents.keep_volume(OTHER, "build", [archive("build")])

    with pytest.raises(DamagedContentError):
        list(contents.output(DIGEST))
    with pytest.raises(DamagedContentError):
        list(contents.volume(OTHER, "build"))

    assert contents.sizes() == {}


def test_what_is_no_content_is_not_counted(contents: Contents, tmp_path: Path) -> None:
    """The entries of a pipeline whose name is `content` are in the same folder, and are no contents."""
    contents.keep_output(DIGEST, [TEXT])
    Entries(FolderObjects(tmp_path), "content").add("20261130T060000Z-aaaa", [])

    assert list(contents.sizes()) == [DIGEST]
