"""Mirrors that nobody has used for a long time are found and removed; those in use are not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.repository.file_lock import file_lock
from dockercise_prefect.repository.idle_mirrors import idle_mirrors

LIMIT = datetime(2026, 1, 1, tzinfo=UTC)


def mirror(folder: Path, name: str, *, used: float = 0) -> Path:
    """A mirror that was used last at this time."""
    made = folder / f"{name}.git"
    (made / "refs").mkdir(parents=True)
    (folder / f"{name}.git.lock").touch()
    for path in (made / "refs", made):
        os.utime(path, (used, used))
    return made


def test_only_idle_mirrors_are_removed(tmp_path: Path) -> None:
    """A mirror that was used last before the limit is removed with its lock; the others and the host keys stay."""
    mirror(tmp_path, "old")
    mirror(tmp_path, "new", used=LIMIT.timestamp())
    (tmp_path / "known_hosts").touch()

    for each in idle_mirrors(tmp_path, LIMIT):
        each.remove()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["known_hosts", "new.git", "new.git.lock"]
    assert idle_mirrors(tmp_path / "missing", LIMIT) == []


def test_a_mirror_with_a_checkout_is_in_use(tmp_path: Path) -> None:
    """As long as a run has a checkout, its mirror is not found, and not removed either if the checkout came later."""
    used, later = mirror(tmp_path, "used"), mirror(tmp_path, "later")
    (used / "worktrees/app-1").mkdir(parents=True)
    for path in (used / "worktrees", used):
        os.utime(path, (0, 0))
    (found,) = idle_mirrors(tmp_path, LIMIT)
    (later / "worktrees/app-2").mkdir(parents=True)

    with pytest.raises(RepositoryError, match="is used by a run"):
        found.remove()

    assert found.folder == later
    assert later.exists()


def test_a_mirror_that_is_locked_is_in_use(tmp_path: Path) -> None:
    """While another process fetches, the mirror stays."""
    made = mirror(tmp_path, "locked")
    (found,) = idle_mirrors(tmp_path, LIMIT)

    with file_lock(tmp_path / "locked.git.lock", 0), pytest.raises(RepositoryError, match="is used by another process"):
        found.remove()

    assert made.exists()
