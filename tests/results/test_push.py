"""Records that wait to be sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.folder import FolderObjects
from dockercise_prefect.results.mirrored_store import MirroredStore
from dockercise_prefect.results.push import push
from dockercise_prefect.results.store import Kept
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.results.unsent import Destination, UnsentRun, unsent_runs
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import SHOP, ran, run_id

ROOT = Path(__file__).parents[2]

KILLED = """
import os, sys
from pathlib import Path
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.folder import FolderObjects
from dockercise_prefect.results.mirrored_store import MirroredStore
from dockercise_prefect.results.unsent import UnsentRun
from tests.support.recorded_runs import SHOP, run_id

unsent = UnsentRun(Path(sys.argv[1]) / "unsent" / run_id())
store = MirroredStore(FolderObjects(Path(sys.argv[2])), "shop", unsent, print)
store.start(to_json(SHOP))
log = store.log("greet")
log.write(b"so far\\n")
os._exit(9)
"""


class Burning(FolderObjects):
    """A place that takes so many objects, and then no more."""

    def __init__(self, folder: Path, takes: int) -> None:
        super().__init__(folder)
        self.left = takes

    def put(self, path: str, content: BinaryIO) -> None:
        """As told."""
        if not self.left:
            raise StorageError("the place is on fire")
        self.left -= 1
        super().put(path, content)


def unfinished(tmp_path: Path, objects: FolderObjects) -> UnsentRun:
    """A run that has ended, whose record did not get to its place."""
    unsent = UnsentRun(tmp_path / "data/unsent" / run_id())
    store = MirroredStore(objects, "shop", unsent, lambda _: None)
    store.start(to_json(SHOP))
    store.stage_ended("greet", ran(StageStatus.PASSED, 0, 1), Kept("hello"))
    with pytest.raises(StorageError, match="results could not be sent") as failed:
        store.settle()
    assert f"dockercise results push {run_id()}" in str(failed.value.hint)
    store.leave(RunSummary(run_id(), "shop", RunStatus.ERROR, results=store.url))
    return unsent


def test_a_record_is_sent_whole_and_then_gone_here(tmp_path: Path) -> None:
    """The index goes first and the summary last, and the record is removed only when all of it is there."""
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    assert [run.run_id for run in unsent_runs(tmp_path / "data")] == [run_id()]

    with pytest.raises(StorageError, match="on fire"):
        push(unsent, lambda _: Burning(tmp_path / "there", 2))
    assert not (tmp_path / "there/shop" / run_id() / "summary.json").exists()
    url = push(unsent, lambda destination: FolderObjects(Path(destination.place.removeprefix("file://"))))

    there = tmp_path / "there/shop" / run_id()
    assert url == there.as_uri()
    assert {path.name for path in there.iterdir()} == {"index.json", "greet.json", "summary.json"}
    assert unsent_runs(tmp_path / "data") == []
    assert run_id() in (tmp_path / "there/shop/index.html").read_text()


def test_a_run_that_goes_on_is_not_pushed(tmp_path: Path) -> None:
    """While a run writes its record, nobody sends half of it and removes it."""
    unsent = UnsentRun(tmp_path / "data/unsent" / run_id())
    store = MirroredStore(FolderObjects(tmp_path / "there"), "shop", unsent, lambda _: None)
    store.start(to_json(SHOP))

    with pytest.raises(UsageError, match=f"{run_id()} still goes on"):
        push(UnsentRun(unsent.folder), lambda _: FolderObjects(tmp_path / "there"))

    store.settle()
    store.finish(RunSummary(run_id(), "shop", RunStatus.PASSED))
    assert unsent_runs(tmp_path / "data") == []


def test_what_a_killed_process_left_can_be_pushed(tmp_path: Path) -> None:
    """A run that was killed leaves what it had; it is sent as it is."""
    places = [tmp_path / "data", tmp_path / "there"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *places], cwd=ROOT, check=False)
    assert killed.returncode == 9
    (unsent,) = unsent_runs(tmp_path / "data")

    push(unsent, lambda _: FolderObjects(tmp_path / "there"))

    assert (tmp_path / "there/shop" / run_id() / "greet.log").read_bytes() == b"so far\n"
    assert unsent_runs(tmp_path / "data") == []


def test_a_folder_that_does_not_say_where_it_goes_is_left_alone(tmp_path: Path) -> None:
    """A damaged note is an error with the file's path; the record stays."""
    unsent = UnsentRun(tmp_path / "data/unsent" / run_id())
    unsent.begin(Destination("s3://bucket", "shop"))
    unsent.leave()
    (unsent.folder / "place.json").write_text("{")

    with pytest.raises(StorageError, match=r"place\.json does not say where"):
        push(unsent, lambda _: FolderObjects(tmp_path))

    assert unsent.folder.exists()
