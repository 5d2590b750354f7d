"""Readers of a bucket can rely on the order in which a record's files are sent."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import RefusedError
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record import mirror as mirror_module
from dockercise_prefect.results.record.log_file import LONGEST_PLAIN
from dockercise_prefect.results.record.mirror import Mirror
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.store import Kept, LogWriter
from dockercise_prefect.results.record.unsent import UnsentRun, unsent_runs
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import SHOP, ran, run_id


class SlowLogs(FolderObjects):
    """A place that accepts a log only when `go` is set, and refuses the first `failures` of them."""

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
    """A stage's last object is sent only after the end of its log has arrived; other stages do not wait."""
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


class Recording(SlowLogs):
    """A `SlowLogs` that also records which objects were removed."""

    def __init__(self, folder: Path, failures: int = 0, *, refuses: bool = False) -> None:
        super().__init__(folder, failures)
        self._refuses = refuses

    def remove(self, path: str) -> None:
        """See `Objects`."""
        if self._refuses:
            raise RefusedError("not allowed")
        super().remove(path)
        self.came.append(f"no {path.rpartition('/')[2]}")


def long_log(store: MirroredStore) -> LogWriter:
    """The log of a stage that has printed a lot and has not ended."""
    store.start(to_json(SHOP))
    store.stage_started("greet", StageSummary(StageStatus.RUNNING))
    log = store.log("greet")
    log.write(b"hello\n" * LONGEST_PLAIN)
    return log


@pytest.mark.parametrize("failures", [0, 1])
def test_a_compressed_log_takes_the_place_of_what_was_sent_of_it(
    tmp_path: Path, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent after the plain log, which is then removed; the last object of the stage follows both."""
    monkeypatch.setattr(mirror_module, "GROWING_SECONDS", 0.01)
    place = Recording(tmp_path / "bucket", failures)
    store = MirroredStore(place, "shop", UnsentRun(tmp_path / "data/unsent" / run_id()), print)
    log = long_log(store)
    place.under_way.wait()

    log.close()
    store.stage_ended("greet", ran(StageStatus.PASSED, 0, 1), Kept())
    place.go.set()
    store.settle()
    store.finish(RunSummary(run_id(), "shop", RunStatus.PASSED))

    sent = [name for name in place.came if "greet.log" in name]
    assert sent == [*(["greet.log"] if not failures else []), "greet.log.zst", "no greet.log"]
    assert place.came.index("no greet.log") < len(place.came) - place.came[::-1].index("greet.json") - 1
    assert unsent_runs(tmp_path / "data") == []


def test_a_place_that_removes_nothing_keeps_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to remove, the sent part of the plain log stays; this is not a failure, and nobody reads it."""
    monkeypatch.setattr(mirror_module, "GROWING_SECONDS", 0.01)
    place = Recording(tmp_path / "bucket", refuses=True)
    place.go.set()
    said: list[str] = []
    store = MirroredStore(place, "shop", UnsentRun(tmp_path / "data/unsent" / run_id()), said.append)
    log = long_log(store)
    while "greet.log" not in place.came:
        continue
    log.write(b"the end\n")

    log.close()
    store.settle()
    store.finish(RunSummary(run_id(), "shop", RunStatus.PASSED))

    run = RecordedRun(place, "shop", run_id())
    assert {"greet.log", "greet.log.zst"} <= {path.name for path in (tmp_path / "bucket/shop" / run_id()).iterdir()}
    assert b"".join(run.log("greet")) == b"hello\n" * LONGEST_PLAIN + b"the end\n"
    assert said == []
