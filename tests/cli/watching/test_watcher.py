"""Changes of real files."""

from __future__ import annotations

import os
from pathlib import Path
from queue import Queue

import pytest
from watchfiles import Change

from dockercise_prefect.cli.watching.watcher import changed_paths, watching
from dockercise_prefect.errors import DockerciseError, EngineError

PATIENCE = 60
"""Seconds until a change is reported."""


@pytest.mark.parametrize("is_polled", [False, True])
def test_changes_are_reported(is_polled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file, a changed one, and one that is gone; also by looking at all files, where the system does not tell."""
    if is_polled:
        monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    (tmp_path / "folder").mkdir()
    for name in ("changed", "gone"):
        (tmp_path / "folder" / name).write_text("before")
        os.utime(tmp_path / "folder" / name, (0, 0))  # whoever only compares times needs another second
    reports: Queue[set[str]] = Queue()
    failures: list[DockerciseError] = []
    wanted = {str(tmp_path / "folder" / name) for name in ("new", "changed", "gone")}

    seen: set[str] = set()
    with watching(tmp_path, reports.put, failures.append):
        (tmp_path / "folder/new").write_text("")
        (tmp_path / "folder/changed").write_text("after, and longer")
        (tmp_path / "folder/gone").unlink()
        while not wanted <= seen:
            seen |= reports.get(timeout=PATIENCE)

    assert seen == wanted
    assert failures == []


def test_files_of_a_new_folder_are_reported(tmp_path: Path) -> None:
    """The folder was not there when the watch began."""
    reports: Queue[set[str]] = Queue()
    failures: list[DockerciseError] = []

    with watching(tmp_path, reports.put, failures.append):
        (tmp_path / "new").mkdir()
        seen = reports.get(timeout=PATIENCE)
        (tmp_path / "new/file").write_text("")
        while str(tmp_path / "new/file") not in seen:
            seen |= reports.get(timeout=PATIENCE)


def test_a_folder_that_cannot_be_watched_is_an_error(tmp_path: Path) -> None:
    """It is raised before anything runs, and says what to do."""
    with pytest.raises(EngineError, match="cannot be watched"), watching(tmp_path / "none", lambda _: None, lambda _: None):
        pass


def test_files_that_come_and_go_do_not_count(tmp_path: Path) -> None:
    """Editors write a new file and rename it. What was there before, and is gone or replaced, counts."""
    (tmp_path / "replaced").write_text("")
    temporary, replaced, gone = (str(tmp_path / name) for name in ("temporary", "replaced", "gone"))
    changes = [(Change.added, temporary), (Change.deleted, temporary), (Change.added, replaced), (Change.deleted, replaced)]

    assert changed_paths([*changes, (Change.deleted, gone)]) == {replaced, gone}
