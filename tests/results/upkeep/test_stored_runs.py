"""Records in a place that exceed the limits are found and removed, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.record.endings import WithEndings, end_elsewhere
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.results.upkeep.retention import Limits
from dockercise_prefect.results.upkeep.stored_runs import refresh_pages, unwanted
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import FIRST, SHOP, Recorded, ran, run_id

LATER = FIRST + timedelta(days=1)
ONE = Limits(runs=1)


def ended(results: Path, number: int, pipeline: Pipeline = SHOP) -> Recorded:
    """The record of a run that has ended."""
    recorded = Recorded(results, pipeline, number)
    recorded.stage("greet", ran(StageStatus.PASSED, 0, 1), log=b"hello\n")
    recorded.end()
    return recorded


def test_each_pipeline_keeps_its_own(tmp_path: Path) -> None:
    """The limits hold for each pipeline, and the record that is removed is gone completely."""
    other = Pipeline("other", SHOP.stages)
    old, new = (ended(tmp_path, number) for number in (0, 1))
    lonely = ended(tmp_path, 0, other)
    objects = FolderObjects(tmp_path)

    (found,) = unwanted(objects, ONE, LATER)
    size = sum(path.stat().st_size for path in old.folder.iterdir())
    found.remove()

    assert (found.run.path, found.size) == (f"shop/{old.run_id}", size)
    assert new.folder.exists()
    assert lonely.folder.exists()
    assert sorted(path.name for path in (tmp_path / "shop").iterdir()) == [new.run_id]


def test_the_list_of_runs_is_up_to_date_afterwards(tmp_path: Path) -> None:
    """The list of runs no longer has the record that was removed."""
    old, new = (ended(tmp_path, number) for number in (0, 1))
    objects = FolderObjects(tmp_path)
    refresh_pages(objects, {"shop"})

    for each in unwanted(objects, ONE, LATER):
        each.remove()
    refresh_pages(objects, {"shop"})

    page = (tmp_path / "shop/index.html").read_text()
    assert new.run_id in page
    assert old.run_id not in page


def test_what_is_no_record_is_left_alone(tmp_path: Path) -> None:
    """Folders and files of others in the place of results, and runs that have not ended, are never found."""
    ended(tmp_path, 5)
    Recorded(tmp_path, number=1)
    for other in ("notes/a.txt", f"shop/{run_id(2)}.old/summary.json", "shop/mine/summary.json", "other/file"):
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_text("mine")

    assert list(unwanted(FolderObjects(tmp_path), ONE, LATER)) == []


def test_an_ending_that_is_elsewhere_goes_with_the_record(tmp_path: Path) -> None:
    """If the summary of a run had to be stored in the data folder, the run counts as ended, and the summary is removed too."""
    data = tmp_path / "data"
    results = tmp_path / "results"
    old = Recorded(results, number=0)
    ended(results, 1)
    end_elsewhere(RunSummary(old.run_id, "shop", RunStatus.ERROR), data)

    for each in unwanted(WithEndings(FolderObjects(results), data), ONE, LATER):
        each.remove()

    assert not old.folder.exists()
    assert list(data.rglob("summary.json")) == []


def test_removing_twice_does_no_harm(tmp_path: Path) -> None:
    """If another process has removed the record in the meantime, there is nothing to do."""
    ended(tmp_path, 0)
    ended(tmp_path, 1)
    (found,) = unwanted(FolderObjects(tmp_path), ONE, LATER)

    found.remove()
    found.remove()

    assert list(unwanted(FolderObjects(tmp_path), ONE, LATER)) == []
