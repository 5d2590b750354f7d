"""The record of a run in a bucket: how it begins and ends if the bucket refuses, hangs or fails at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import RefusedError
from dockercise_prefect.results.record import mirrored_store
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.unsent import UnsentRun, unsent_runs
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.status import RunStatus
from tests.support.recorded_runs import SHOP, run_id

PATIENCE = 60
INDEX = to_json(SHOP)


class Bucket(FolderObjects):
    """A folder that calls `take` before each object; `take` may raise or wait."""

    def __init__(self, folder: Path, take: Callable[[str], object]) -> None:
        super().__init__(folder)
        self._take = take

    def put(self, path: str, content: BinaryIO) -> None:
        """See `Objects`."""
        self._take(path.rpartition("/")[2])
        super().put(path, content)


def store_in(tmp_path: Path, take: Callable[[str], object], said: list[str]) -> MirroredStore:
    bucket = Bucket(tmp_path / "there", take)
    return MirroredStore(bucket, "shop", UnsentRun(tmp_path / "data/unsent" / run_id()), said.append)


def refuse(_name: str) -> None:
    raise RefusedError("no such bucket")


def test_a_bucket_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    """A run that cannot begin leaves no waiting record, no thread, and no notice in addition to its error."""
    said: list[str] = []
    store = store_in(tmp_path, refuse, said)

    with pytest.raises(RefusedError, match="no such bucket"):
        store.start(INDEX)

    assert list((tmp_path / "data/unsent").iterdir()) == []
    assert said == []
    assert_no_threads()


def test_a_stage_that_cannot_name_a_file_leaves_nothing(tmp_path: Path) -> None:
    """An error of the pipeline itself is raised before anything is sent, and also leaves nothing."""
    store = store_in(tmp_path, refuse, [])

    with pytest.raises(UsageError, match=r"cannot be called '\.\.'"):
        store.start({"stages": {"..": {"sensitive": None, "no_log": False}}})

    assert not (tmp_path / "data/unsent" / run_id()).exists()
    assert_no_threads()


def test_a_bucket_that_hangs_holds_up_neither_the_beginning_nor_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run does not wait for a slow first answer; at the end it waits for everything, and the user is informed."""
    monkeypatch.setattr(mirrored_store, "KNOCK_SECONDS", 0.05)
    monkeypatch.setattr(mirrored_store, "SILENT_SECONDS", 0.05)
    go = threading.Event()
    said: list[str] = []
    store = store_in(tmp_path, lambda _: go.wait(PATIENCE), said)

    store.start(INDEX)
    threading.Timer(0.5, go.set).start()
    store.settle()
    store.finish(RunSummary(run_id(), "shop", RunStatus.PASSED))

    assert said == [f"waiting until all results are at {store.url} (Ctrl-C leaves them on this machine)"]
    assert {path.name for path in (tmp_path / "there/shop" / run_id()).iterdir()} == {"index.json", "summary.json"}
    assert unsent_runs(tmp_path / "data") == []


def test_a_record_that_fails_with_its_last_object_says_so_itself(tmp_path: Path) -> None:
    """The summary that is kept is the one written after the failure, and the complete record waits to be sent."""

    def take(name: str) -> None:
        if name == "summary.json":
            raise StorageError("the place is on fire")

    store = store_in(tmp_path, take, [])
    store.start(INDEX)
    store.settle()
    passed = RunSummary(run_id(), "shop", RunStatus.PASSED)
    with pytest.raises(StorageError, match="results could not be sent: the place is on fire"):
        store.finish(passed)

    store.leave(replace(passed, status=RunStatus.ERROR, error="could not be sent"))

    (unsent,) = unsent_runs(tmp_path / "data")
    kept = json.loads((unsent.record("shop") / "summary.json").read_text())
    assert (kept["status"], kept["error"]) == ("error", "could not be sent")
    assert {path.name for path in unsent.record("shop").iterdir()} == {"index.json", "summary.json"}
    with unsent.held():
        assert_no_threads()


def assert_no_threads() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("mirror-"):
            thread.join(PATIENCE)
            assert not thread.is_alive()
