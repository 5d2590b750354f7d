"""Lists of files in the place of the results."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.results.cache import lists as module
from dockercise_prefect.results.cache.lists import Lists, PackedList, packed_list, unpacked_list
from dockercise_prefect.results.cache.paths import list_path
from dockercise_prefect.results.places.folder import FolderObjects

DATA = b"a list of files"
DIGEST = digest_text(sha256(DATA).digest())


def test_a_list_comes_back_under_its_digest(tmp_path: Path) -> None:
    """What is stored is found by every machine that uses the place."""
    packed = packed_list(DATA)
    assert packed is not None
    before = Lists(FolderObjects(tmp_path)).there
    Lists(FolderObjects(tmp_path)).keep(DIGEST, packed)

    assert before == set()
    assert Lists(FolderObjects(tmp_path)).there == {DIGEST}
    assert Lists(FolderObjects(tmp_path)).read(DIGEST) == DATA


def test_a_list_that_comes_in_pieces_is_the_same(tmp_path: Path) -> None:
    """It is compressed as it comes, and its digest is that of the whole."""
    pieces = PackedList()
    for byte in DATA:
        pieces.write(bytes([byte]))
    closed = pieces.close()

    assert closed is not None
    assert closed[0] == DIGEST
    Lists(FolderObjects(tmp_path)).keep(*closed)
    assert Lists(FolderObjects(tmp_path)).read(DIGEST) == DATA


@pytest.mark.parametrize("content", [None, b"", b"damaged", packed_list(b"another list")])
def test_a_list_that_is_gone_or_damaged_is_none(tmp_path: Path, content: bytes | None) -> None:
    """Nobody needs it, so nothing fails."""
    path = tmp_path / list_path(DIGEST)
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_bytes(content)

    assert Lists(FolderObjects(tmp_path)).read(DIGEST) is None


def test_a_list_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever puts a list of many gigabytes into the place cannot fill the memory of those who read it."""
    packed = packed_list(DATA)
    assert packed is not None
    monkeypatch.setattr(module, "MOST", len(DATA) - 1)
    pieces = PackedList()
    pieces.write(DATA)

    assert packed_list(DATA) is None
    assert pieces.close() is None
    assert unpacked_list(DIGEST, packed) is None
