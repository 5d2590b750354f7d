"""Processes that are killed while they make the folder of a record: whatever is left can be ended or removed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.crash.records import DeadRecords
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.upkeep.never_begun import ABANDONED_AFTER, never_begun
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.settings import Settings, read_settings
from tests.support.recorded_runs import run_id

ROOT = Path(__file__).parents[3]

BEGIN = """
import itertools, os, signal, sys
from pathlib import Path
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.owner_mark import OwnerMark
from dockercise_prefect.results.record.unsent import UnsentRun
from dockercise_prefect.runtime.cleanup.ownership import this_process
from tests.support.recorded_runs import SHOP, run_id

kind, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if kind == "folder":
    store = LocalStore(folder / "results", "shop", run_id())
else:
    bucket = FolderObjects(folder / "bucket")
    store = MirroredStore(bucket, "shop", UnsentRun(folder / "data/unsent" / run_id()), print)
owner = OwnerMark(str(this_process(None)), "flow-1", None)
steps = itertools.count(1)

def die(event, arguments):
    if event in {"os.mkdir", "open", "os.rename"} and str(folder) in str(arguments[0]) and next(steps) == number:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
store.start(to_json(SHOP), owner)
"""


def killed_at_each_step(kind: str, folder: Path) -> Iterator[Path]:
    """The folders of processes that were killed before their first, second … change on the disk, until one was not killed."""
    for number in range(1, 40):
        mine = folder / str(number)
        done = subprocess.run([sys.executable, "-c", BEGIN, kind, mine, str(number)], check=False, cwd=ROOT)
        if done.returncode == 0:
            return
        yield mine
    pytest.fail("it has no end")


def no_page(*_: object) -> str:
    """A page that nobody reads."""
    return "a page"


def clean_up(settings: Settings) -> list[RecordedRun]:
    """What `gc` does some hours later. Returns the records that were ended."""
    records = DeadRecords(settings, no_page)
    ended = list(records.without_process(this_process(None)))
    for run, death in ended:
        records.end(run, death)
    for left in never_begun(Path(settings.results), settings.data, datetime.now(UTC) + ABANDONED_AFTER + timedelta(seconds=1)):
        left.remove()
    return [run for run, _ in ended]


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_nothing_stays_without_an_end(kind: str, tmp_path: Path) -> None:
    """A run that is killed at any step of the begin of its record leaves nothing, or a record that is ended."""
    outcomes = []
    for folder in killed_at_each_step(kind, tmp_path):
        settings = replace(read_settings(), results=str(folder / "results"), data=folder / "data")

        ended = clean_up(settings)

        left = [path for path in folder.rglob(run_id()) if path.is_dir() and "bucket" not in path.parts]
        assert all(run.is_over() for run in ended)
        assert bool(left) == bool(ended), left
        outcomes.append(len(ended))

    assert set(outcomes) == {0, 1}
