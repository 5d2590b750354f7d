"""Records that wait to be sent."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from click.testing import CliRunner

from dockercise_prefect.cli.results import results
from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.push import push
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.owner_mark import OwnerMark, mark_owner
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.record.unsent import Destination, NotWaitingError, UnsentRun, unsent_runs
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import SHOP, ran, run_id

ROOT = Path(__file__).parents[2]

KILLED = """
import os, sys
from pathlib import Path
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.unsent import UnsentRun
from tests.support.recorded_runs import SHOP, run_id

unsent = UnsentRun(Path(sys.argv[1]) / "unsent" / run_id())
store = MirroredStore(FolderObjects(Path(sys.argv[2])), "shop", unsent, print)
store.start(to_json(SHOP))
log = store.log("greet")
log.write(b"so far\\n")
os._exit(9)
"""


class Burning(FolderObjects):
    """A place that accepts so many objects, and then no more."""

    def __init__(self, folder: Path, takes: int) -> None:
        super().__init__(folder)
        self.left = takes

    def put(self, path: str, content: BinaryIO) -> None:
        """Fail, or write."""
        if not self.left:
            raise StorageError("the place is on fire")
        self.left -= 1
        super().put(path, content)


def unfinished(tmp_path: Path, objects: FolderObjects) -> UnsentRun:
    """A run that has ended, and whose record was not sent to its place."""
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
    """The index is sent first and the summary last, and the local record is removed only when everything has arrived."""
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    assert [run.run_id for run in unsent_runs(tmp_path / "data")] == [run_id()]

    with pytest.raises(StorageError, match="on fire"):
        push(unsent, lambda _: Burning(tmp_path / "there", 2), print)
    assert not (tmp_path / "there/shop" / run_id() / "summary.json").exists()
    url = push(unsent, lambda destination: FolderObjects(Path(destination.place.removeprefix("file://"))), print)

    there = tmp_path / "there/shop" / run_id()
    assert url == there.as_uri()
    assert {path.name for path in there.iterdir()} == {"index.json", "greet.json", "summary.json"}
    assert unsent_runs(tmp_path / "data") == []
    assert run_id() in (tmp_path / "there/shop/index.html").read_text()


def test_a_run_that_goes_on_is_not_pushed(tmp_path: Path) -> None:
    """While a run writes its record, no other process sends a part of it or removes it."""
    unsent = UnsentRun(tmp_path / "data/unsent" / run_id())
    store = MirroredStore(FolderObjects(tmp_path / "there"), "shop", unsent, lambda _: None)
    store.start(to_json(SHOP))

    with pytest.raises(UsageError, match=f"{run_id()} has not ended"):
        push(UnsentRun(unsent.folder), lambda _: FolderObjects(tmp_path / "there"), print)

    store.settle()
    store.finish(RunSummary(run_id(), "shop", RunStatus.PASSED))
    assert unsent_runs(tmp_path / "data") == []


def test_what_a_killed_process_left_can_be_pushed(tmp_path: Path) -> None:
    """The incomplete record of a killed run is sent as it is."""
    places = [tmp_path / "data", tmp_path / "there"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *places], cwd=ROOT, check=False)
    assert killed.returncode == 9
    (unsent,) = unsent_runs(tmp_path / "data")

    push(unsent, lambda _: FolderObjects(tmp_path / "there"), print)

    assert (tmp_path / "there/shop" / run_id() / "greet.log").read_bytes() == b"so far\n"
    assert unsent_runs(tmp_path / "data") == []


def test_what_a_guardian_is_going_to_finish_is_not_pushed(tmp_path: Path) -> None:
    """After the death of the run's process, the record stays here until the guardian of the run has completed it."""
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    mark = OwnerMark("dead", "flow-1", None)
    mark_owner(unsent.record("shop"), replace(mark, guardian="alive"))

    with pytest.raises(UsageError, match=f"{run_id()} has not ended"):
        push(UnsentRun(unsent.folder), lambda _: FolderObjects(tmp_path / "there"), print)

    assert unsent.record("shop").is_dir()


def test_a_list_that_cannot_be_made_keeps_no_record_here(tmp_path: Path) -> None:
    """Without the right to list, the record is still sent; the page that is not up to date is reported."""
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    said: list[str] = []

    push(unsent, lambda _: Burning(tmp_path / "there", 3), said.append)

    assert said == ["the list of runs is not up to date: the place is on fire"]
    assert unsent_runs(tmp_path / "data") == []
    assert (tmp_path / "there/shop" / run_id() / "summary.json").exists()


def test_what_another_process_has_sent_is_not_sent_again(tmp_path: Path) -> None:
    """If two processes push at the same time, the second finds nothing, reports it, and leaves nothing behind."""
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    (known,) = unsent_runs(tmp_path / "data")
    push(unsent, lambda _: FolderObjects(tmp_path / "there"), print)

    with pytest.raises(NotWaitingError, match=f"{run_id()} was sent by another process"):
        push(known, lambda _: FolderObjects(tmp_path / "there"), print)

    assert not known.folder.exists()


def test_a_record_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    """A record whose folder is missing is an error without a traceback, and nothing more of it is removed."""
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    shutil.rmtree(unsent.record("shop"))

    with pytest.raises(StorageError, match=f"cannot read {unsent.record('shop')}: No such file"):
        push(unsent, lambda _: FolderObjects(tmp_path / "there"), print)

    assert unsent.folder.exists()


@pytest.mark.parametrize("named", [True, False])
def test_runs_that_go_on_do_not_keep_others_from_being_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """`results push` sends ended runs and skips running ones; only for a run that was named is that an error."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    goes_on = UnsentRun(tmp_path / "data/unsent/20200101T000000Z-0000")
    goes_on.begin(Destination("s3://bucket", "shop"))
    unfinished(tmp_path, Burning(tmp_path / "there", 1))
    runs = [goes_on.run_id[:6], run_id()] if named else []

    said = CliRunner().invoke(results, ["push", "--results", str(tmp_path / "there"), *runs], standalone_mode=False)

    assert said.return_value == (2 if named else 0)
    assert f"{run_id()}: sent to {(tmp_path / 'there/shop' / run_id()).as_uri()}" in said.output
    assert f"{goes_on.run_id} has not ended" in said.output
    assert [run.run_id for run in unsent_runs(tmp_path / "data")] == [goes_on.run_id]
    goes_on.end()


def test_a_folder_that_does_not_say_where_it_goes_is_left_alone(tmp_path: Path) -> None:
    """A damaged note is an error with the path of the file; the record stays."""
    unsent = UnsentRun(tmp_path / "data/unsent" / run_id())
    unsent.begin(Destination("s3://bucket", "shop"))
    unsent.leave()
    (unsent.folder / "place.json").write_text("{")

    with pytest.raises(StorageError, match=r"place\.json does not say where"):
        push(unsent, lambda _: FolderObjects(tmp_path), print)

    assert unsent.folder.exists()


def test_a_log_is_pushed_once(tmp_path: Path) -> None:
    """If a long log exists twice, the compressed one is sent, and the sent part of the plain one is removed."""
    there = FolderObjects(tmp_path / "there")
    unsent = unfinished(tmp_path, Burning(tmp_path / "there", 1))
    record = unsent.record("shop")
    (record / "greet.log.zst").write_bytes(b"packed")
    (record / "greet.log").write_bytes(b"plain")
    there.put(f"shop/{run_id()}/greet.log", io.BytesIO(b"pla"))

    push(unsent, lambda _: there, print)

    assert {path.name for path in (tmp_path / "there/shop" / run_id()).iterdir()} == {
        "index.json",
        "greet.json",
        "greet.log.zst",
        "summary.json",
    }
