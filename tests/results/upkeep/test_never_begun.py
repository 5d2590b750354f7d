"""Folders that were made for a record whose process died at once."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dockercise_prefect.results.record.owner_mark import OwnerMark
from dockercise_prefect.results.record.unsent import UNSENT, Destination, UnsentRun
from dockercise_prefect.results.upkeep.never_begun import ABANDONED_AFTER, NeverBegun, never_begun
from tests.support.recorded_runs import SHOP, Recorded, run_id

OWNER = OwnerMark("owner", "flow-1", None)
LATER = datetime.now(UTC) + ABANDONED_AFTER * 2


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder whose process died when it was about to write the first file, and which a file was being written in."""
    folder = tmp_path / "results/shop" / run_id()
    folder.mkdir(parents=True)
    (folder / ".abc.tmp").write_text("half")
    return folder


def found(tmp_path: Path, now: datetime = LATER) -> list[NeverBegun]:
    """What is found below the folders of the test."""
    return list(never_begun(tmp_path / "results", tmp_path / "data", now))


def test_an_empty_folder_is_removed(tmp_path: Path, empty: Path) -> None:
    """A folder of long ago in which nothing was written is found and removed, and then there is nothing more to find."""
    (left,) = found(tmp_path)

    left.remove()

    assert (left.path, left.pipeline) == (empty, "shop")
    assert not empty.exists()
    assert found(tmp_path) == []


def test_a_folder_that_is_being_made_is_left_alone(tmp_path: Path, empty: Path) -> None:
    """A folder in which something was written during the last hour is not found, however old it is itself."""
    os.utime(empty, (0, 0))

    assert empty.exists()
    assert found(tmp_path, datetime.now(UTC)) == []


def test_what_was_written_in_the_meantime_stays(tmp_path: Path, empty: Path) -> None:
    """If a record begins after its folder was found, it stays."""
    (left,) = found(tmp_path)
    (empty / "index.json").write_text("{}")

    left.remove()

    assert (empty / "index.json").read_text() == "{}"


def test_records_are_left_alone(tmp_path: Path) -> None:
    """A record with an owner or an index is not found. Folders that are not records are not found either."""
    Recorded(tmp_path / "results", SHOP, 1)
    marked = tmp_path / "results/shop" / run_id(2)
    marked.mkdir()
    (marked / ".owner").write_text("{}")
    (tmp_path / "results/shop/mine").mkdir()
    (tmp_path / "results/notes.txt").write_text("notes")

    assert found(tmp_path) == []


def test_an_unsent_folder_without_a_destination_is_removed(tmp_path: Path) -> None:
    """What was to be sent to a bucket, but does not say to which, is removed; what says it, or is locked, stays."""
    data = tmp_path / "data"
    lost = Recorded(data / UNSENT / run_id(1), SHOP, 1)
    waiting = UnsentRun(data / UNSENT / run_id(2))
    waiting.begin(Destination("s3://bucket", "shop"))
    waiting.leave()

    (left,) = found(tmp_path)
    left.remove()

    assert (left.path.name, left.pipeline) == (lost.run_id, None)
    assert [path.name for path in (data / UNSENT).iterdir()] == [run_id(2)]


def test_an_unsent_folder_that_gets_its_destination_in_the_meantime_stays(tmp_path: Path) -> None:
    """If the destination is written after the folder was found, the record stays."""
    recorded = Recorded(tmp_path / "data" / UNSENT / run_id(), SHOP)
    (left,) = found(tmp_path)
    run = UnsentRun(tmp_path / "data" / UNSENT / recorded.run_id)
    run.begin(Destination("s3://bucket", "shop"))
    run.leave()

    left.remove()

    assert recorded.folder.is_dir()
