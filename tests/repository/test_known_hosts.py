"""Published keys of ssh hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.repository.known_hosts import FILE, remember

LINES = ["github.com ssh-ed25519 AAAA", "github.com ecdsa-sha2-nistp256 BBBB"]


def test_each_key_is_remembered_once(tmp_path: Path) -> None:
    """Keys are added after those that ssh has added itself, each once, and only the user can change them."""
    folder = tmp_path / "repositories"
    remember(folder, LINES[:1])
    with (folder / FILE).open("a") as file:
        file.write("example.org ssh-rsa CCCC")

    remember(folder, [*LINES, *LINES])

    assert (folder / FILE).read_text().splitlines() == [LINES[0], "example.org ssh-rsa CCCC", LINES[1]]
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600


def test_nothing_to_remember(tmp_path: Path) -> None:
    """If no keys are published, nothing is known."""
    remember(tmp_path, [])

    assert (tmp_path / FILE).read_text() == ""


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The obstacle is named."""
    (tmp_path / FILE).mkdir()

    with pytest.raises(RepositoryError, match=f"cannot write {tmp_path / FILE}"):
        remember(tmp_path, LINES)
