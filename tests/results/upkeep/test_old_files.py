"""Files of a cache that were written a long time ago."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from dockercise_prefect.results.upkeep.old_files import old_files, remove_files

LIMIT = datetime(2026, 1, 1, tzinfo=UTC)


def test_only_old_files_are_removed(tmp_path: Path) -> None:
    """Files from before the limit are removed; newer files and folders stay, and a missing folder has none."""
    for name, time in (("old", 0.0), ("new", LIMIT.timestamp())):
        (tmp_path / name).write_text("12345")
        os.utime(tmp_path / name, (time, time))
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (0, 0))

    found = old_files(tmp_path, LIMIT)
    remove_files(found)
    remove_files(found)

    assert [(file.path.name, file.size) for file in found] == [("old", 5)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "new"]
    assert old_files(tmp_path / "missing", LIMIT) == []
