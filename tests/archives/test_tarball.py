"""Files as tar streams."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.archives.tarball import CHUNK, Entry, File, Folder, Link, owned_by, tar_stream
from dockercise_prefect.errors import EngineError


def file(path: str, data: bytes, mode: int = 0o644) -> File:
    """A file that exists already."""
    return File(path=path, size=len(data), content=lambda: [data], mode=mode, mtime=1_700_000_000.9)


def unpacked(stream: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The members of a tar, with their contents."""
    with tarfile.open(fileobj=io.BytesIO(stream), encoding="utf-8", errors="surrogateescape") as archive:
        return [(member, (archive.extractfile(member) or io.BytesIO()).read() if member.isreg() else b"") for member in archive]


ENTRIES: list[Entry] = [
    Folder(path="d", mode=0o1777, mtime=5),
    file("d/☃ 'x'", b"snow", 0o755),
    file("d/" + "long/" * 60 + "name", b"far"),
    file("raw-\udcff", b""),
    Link(path="d/l", target="../" + "up/" * 50),
    file("big", b"x" * (3 * CHUNK + 7)),
]


def test_entries_come_back_as_they_were() -> None:
    """Names of any length and any bytes, modes, links and contents survive."""
    members = unpacked(b"".join(tar_stream(ENTRIES)))

    assert [(member.name, member.mode) for member, _ in members if not member.issym()] == [
        (entry.path, entry.mode) for entry in ENTRIES if not isinstance(entry, Link)
    ]
    assert [data for _, data in members] == [b"", b"snow", b"far", b"", b"", b"x" * (3 * CHUNK + 7)]
    assert next(member.linkname for member, _ in members if member.issym()) == "../" + "up/" * 50
    assert {(member.uid, member.gid) for member, _ in members} == {(0, 0)}


def test_small_files_travel_together() -> None:
    """Hundreds of small files make a few chunks."""
    stream = list(tar_stream(file(f"f{number}", b"x") for number in range(300)))

    assert len(stream) <= 300 * 1024 // CHUNK + 1


@pytest.mark.parametrize("data", [b"", b"12345"])
def test_a_file_that_changed_is_an_error(data: bytes) -> None:
    """Content of another size than announced would break the stream, so the error names the file."""
    with pytest.raises(EngineError, match=r"^f changed"):
        list(tar_stream([File(path="f", size=3, content=lambda: [data])]))


@given(cut=st.integers(1, 2000))
def test_a_stream_can_be_given_to_another_owner(cut: int) -> None:
    """Every entry gets the owner and keeps everything else, however the stream is cut into chunks."""
    packed = b"".join(tar_stream(ENTRIES[:-1]))

    owned = b"".join(owned_by((packed[start : start + cut] for start in range(0, len(packed), cut)), 1000, 1001))

    before, after = unpacked(packed), unpacked(owned)
    assert {(member.uid, member.gid) for member, _ in after} == {(1000, 1001)}
    assert [(m.name, m.mode, m.type, m.linkname, d) for m, d in after] == [
        (m.name, m.mode, m.type, m.linkname, d) for m, d in before
    ]


def test_hard_links_stay_hard_links_with_another_owner() -> None:
    """The second name of a file is not written a second time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        first, second = tarfile.TarInfo("a"), tarfile.TarInfo("b")
        first.size = 3
        second.type, second.linkname = tarfile.LNKTYPE, "a"
        archive.addfile(first, io.BytesIO(b"one"))
        archive.addfile(second)

    owned = unpacked(b"".join(owned_by([buffer.getvalue()], 7, 8)))

    assert [(member.name, member.type, member.linkname, member.uid) for member, _ in owned] == [
        ("a", tarfile.REGTYPE, "", 7),
        ("b", tarfile.LNKTYPE, "a", 7),
    ]
