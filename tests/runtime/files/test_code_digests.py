"""Digests of the files of the code, one by one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.archives.tarball import Entry, File, Folder, Link, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.code_snapshot import code_entries


def file(path: str, text: str = "", mode: int = 0o644) -> File:
    """A file with a text."""
    return File(path=path, size=len(text), content=lambda: [text.encode()], mode=mode)


PLAIN: list[Entry] = [Folder(path="a"), file("a/b", "1"), Folder(path="ab"), file("ab/c", "1"), Link(path="l", target="a")]


@pytest.mark.parametrize(
    ("other", "changed"),
    [
        (file("a/b", "2"), {"", "a"}),
        (file("a/b", "1", 0o755), {"", "a"}),
        (Link(path="a/b", target="1"), {"", "a"}),
        (Folder(path="a", mode=0o700), {""}),
        (Link(path="l", target="ab"), {""}),
        (file("a/new", "1"), {"", "a"}),
    ],
)
def test_a_folder_differs_if_something_in_it_does(other: Entry, changed: set[str]) -> None:
    """Names, kinds, modes, bytes and targets count, and only in the folders that have them."""
    before = CodeDigests(PLAIN)
    after = CodeDigests(sorted([*(entry for entry in PLAIN if entry.path != other.path), other], key=lambda entry: entry.path))

    assert {folder for folder in ("", "a", "ab") if before.of_folder(folder) != after.of_folder(folder)} == changed


def test_times_do_not_count(tmp_path: Path) -> None:
    """A file that was only touched is the same."""
    (tmp_path / "a").write_text("x")
    before = CodeDigests(code_entries(tmp_path, print)).of_folder("")
    os.utime(tmp_path / "a", (1, 1))

    assert CodeDigests(code_entries(tmp_path, print)).of_folder("") == before


def test_a_file_that_was_copied_is_not_read_again(tmp_path: Path) -> None:
    """Its digest is that of the bytes that were copied, even if the file has changed since."""
    (tmp_path / "a").write_text("1")
    copied, fresh = (CodeDigests(code_entries(tmp_path, print)) for _ in range(2))
    expected = fresh.of_folder("")
    for _ in tar_stream(copied.entries):
        pass
    (tmp_path / "a").write_text("2")

    assert copied.of_folder("") == expected


def test_a_file_that_changes_after_it_was_digested_is_not_copied(tmp_path: Path) -> None:
    """What stages get is always what was compared."""
    (tmp_path / "a").write_text("1")
    digests = CodeDigests(code_entries(tmp_path, print))
    assert digests.of_files(lambda _: True)
    (tmp_path / "a").write_text("2")

    with pytest.raises(EngineError, match="a changed during the run"):
        list(tar_stream(digests.entries))


NAMES = st.text("ab", min_size=1, max_size=3)
TREES = st.dictionaries(NAMES, st.tuples(st.text("x1 ", max_size=3), st.sampled_from([0o644, 0o755])), max_size=4)


@given(TREES, TREES)
def test_only_the_same_files_have_the_same_digest(one: dict[str, tuple[str, int]], other: dict[str, tuple[str, int]]) -> None:
    """Two lists of names, modes and texts share a digest only if they are the same: nothing runs together."""
    digests = [
        CodeDigests(file(name, *content) for name, content in sorted(tree.items())).of_folder("") for tree in (one, other)
    ]

    assert (digests[0] == digests[1]) == (one == other)


@given(st.sets(st.lists(st.sampled_from(["a", "ab", "b", "a.b"]), min_size=1, max_size=4).map("/".join), max_size=12))
def test_the_list_of_a_folder_has_everything_below_it(paths: set[str]) -> None:
    """At any depth, in the order of the code, and nothing of a folder whose name begins the same."""
    code = CodeDigests([file(path) for path in sorted(paths)])

    for folder in ("a", "ab", "a/ab", "a/b/ab", "none"):
        listed = [json.loads(line)[0] for line in code.listing(folder).splitlines()]
        assert listed == [path for path in sorted(paths) if path.startswith(f"{folder}/")]
    assert [json.loads(line)[0] for line in code.listing("").splitlines()] == sorted(paths)
