"""A record's files on their way to a bucket come in an order that those who read it can rely on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.folder import FolderObjects
from dockercise_prefect.results.mirror import Mirror


class SlowLogs(FolderObjects):
    """A place that takes a log only when `go` is set, and refuses the first `failures` of them."""

    def __init__(self, folder: Path, failures: int = 0) -> None:
        super().__init__(folder)
        self.go = threading.Event()
        self.under_way = threading.Event()
        self.came: list[str] = []
        self._failures = failures

    def put(self, path: str, content: BinaryIO) -> None:
        """See `Objects`."""
        if path.endswith(".log"):
            self.under_way.set()
            self.go.wait()
            self._failures -= 1
            if self._failures >= 0:
                raise StorageError("busy")
        super().put(path, content)
        self.came.append(path.rpartition("/")[2])


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record of two stages that have ended."""
    folder = tmp_path / "record"
    folder.mkdir()
    for name in ("a.log", "a.json", "b.json"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("failures", [0, 1])
def test_a_stage_ends_behind_its_log(record: Path, tmp_path: Path, failures: int) -> None:
    """A stage's last object is not sent before the last of its log has arrived; other stages do not wait for it."""
    place = SlowLogs(tmp_path / "bucket", failures)
    mirror = Mirror(record, place, "p/run-1", lambda _: None)
    mirror.put("a.log")
    place.under_way.wait()
    mirror.put("a.json", after="a.log")
    mirror.put("b.json", after="b.log")
    while "b.json" not in place.came:
        continue
    assert place.came == ["b.json"]

    place.go.set()
    for _ in range(1 + failures):
        try:
            mirror.settle()
        except StorageError:
            assert place.came == ["b.json"]

    mirror.close()
    assert place.came == ["b.json", "a.log", "a.json"]
