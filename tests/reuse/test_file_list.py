"""Which file makes the difference between two lists of files."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.archives.content_digest import content_digested
from dockercise_prefect.archives.tarball import Entry, File, Folder, Link, tar_stream
from dockercise_prefect.reuse.file_list import FileList, changed_file, list_of_code, list_of_volume
from dockercise_prefect.runtime.files.code_digests import CodeDigests


def file(path: str, text: str = "", mode: int = 0o644) -> File:
    """A file with a text."""
    return File(path=path, size=len(text), content=lambda: [text.encode()], mode=mode)


def listed(*entries: Entry) -> FileList:
    """The list of a volume with these entries."""
    found = BytesIO()
    for _ in content_digested(tar_stream(entries), "", lambda _: None, found.write):
        pass
    return list_of_volume(found.getvalue())


THEN: list[Entry] = [Folder(path="a"), file("a/b", "1"), file("a/c", "1"), file("a.b", "1"), Link(path="l", target="a")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a/c": file("a/c", "2")}, "file a/c of the code changed"),
        ({"a/c": file("a/c", "1", 0o755)}, "file a/c of the code changed"),
        ({"a/c": None}, "file a/c of the code is gone"),
        ({"a/new": file("a/new")}, "file a/new of the code is new"),
        ({"l": Link(path="l", target="b")}, "file l of the code changed"),
        ({"a.b": file("a.b", "2"), "a/c": file("a/c", "2"), "l": None}, "file a/c of the code changed, and 2 more"),
        ({"a": Folder(path="a", mode=0o700)}, "folder a of the code changed"),
        ({"z": Folder(path="z"), "z/f": file("z/f")}, "file z/f of the code is new"),
        ({"a/\x1b\udcff": file("a/\x1b\udcff")}, r"file a/\x1b\xff of the code is new"),
        ({}, None),
    ],
)
def test_the_first_file_in_order_is_named(change: dict[str, Entry | None], said: str | None) -> None:
    """A file is named rather than its folder, and the parts of paths decide which one is first; the others are counted."""
    by_path: dict[str, Entry | None] = {**{entry.path: entry for entry in THEN}, **change}
    now = [entry for entry in by_path.values() if entry is not None]

    assert changed_file(listed(*now), listed(*THEN), "the code") == said
    lists = [list_of_code(CodeDigests(entries).listing("")) for entries in (now, THEN)]
    assert changed_file(lists[0], lists[1], "the code") == said


def test_the_root_of_a_volume_can_differ() -> None:
    """If only the mode of the root is another one, that is said."""
    then = listed(file("a"))
    now = FileList(then.files, {"": "d\x000700\x000\x000\0\0"})

    assert changed_file(now, then, "the volume of build") == "the root of the volume of build changed"


@pytest.mark.parametrize("data", [b"{}", b"{}\n", b"[1]\n", b"1\n", b"\xff\n", b'["a", 3]\n', b'["a", "b", "c"]\n', b"\n"])
def test_what_is_no_list_of_code_is_refused(data: bytes) -> None:
    """Data that this version does not write is an error, and nothing else."""
    with pytest.raises(ValueError, match=r"not a list|Expecting|utf-8"):
        list_of_code(data)


@pytest.mark.parametrize("data", [b"a", b"a\0b\0", b"a\0f\0000644\x000\x000\0x\0more"])
def test_what_is_no_list_of_a_volume_is_refused(data: bytes) -> None:
    """An entry has six fields, and each ends with a NUL."""
    with pytest.raises(ValueError, match="not a list"):
        list_of_volume(data)


TEXTS = st.dictionaries(st.text("ab/", min_size=1, max_size=3), st.sampled_from("12"), max_size=3)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_something_is_named_if_something_differs(
    files: dict[str, str], folders: dict[str, str], old_files: dict[str, str], old_folders: dict[str, str]
) -> None:
    """There are words if, and only if, the lists are not the same."""
    now, then = FileList(files, folders), FileList(old_files, old_folders)

    assert (changed_file(now, then, "the code") is None) == (now == then)
