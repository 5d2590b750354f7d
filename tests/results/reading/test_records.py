"""Finding runs by the names that users give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.records import Records
from tests.support.recorded_runs import SHOP, Recorded, run_id

OTHER = replace(SHOP, name="other ☃")

Reading = Callable[..., Records]


@pytest.fixture
def records(tmp_path: Path) -> Reading:
    """A reader of a folder with three runs of two pipelines, and with folders that are not runs."""
    Recorded(tmp_path, number=0)
    Recorded(tmp_path, OTHER, number=1)
    Recorded(tmp_path, number=2)
    (tmp_path / "shop" / "notes").mkdir()
    (tmp_path / "shop" / "index.html").write_text("")
    (tmp_path / "holiday" / "pictures").mkdir(parents=True)
    return lambda pipeline=None: Records(FolderObjects(tmp_path), pipeline)


def test_runs_come_newest_first(records: Reading) -> None:
    """The runs of all pipelines are sorted by their beginning; everything that is not a run is ignored."""
    assert [run.path for run in records().runs()] == [f"shop/{run_id(2)}", f"other ☃/{run_id(1)}", f"shop/{run_id(0)}"]


def test_runs_of_one_pipeline(records: Reading) -> None:
    """If a pipeline is named, runs of other pipelines are neither listed nor found."""
    assert [run.path for run in records("other ☃").runs()] == [f"other ☃/{run_id(1)}"]
    assert records("other ☃").find("last").run_id == run_id(1)


@pytest.mark.parametrize(
    ("wanted", "number"), [(run_id(1), 1), (run_id(1)[:14], 1), ("last", 2), ("20261122T1905", 2)], ids=str
)
def test_a_run_is_found_by_id_beginning_or_as_the_last(records: Reading, wanted: str, number: int) -> None:
    """A whole id, a beginning that only one id has, and `last` each name one run."""
    assert records().find(wanted).run_id == run_id(number)


def test_an_ambiguous_beginning_names_what_it_may_be(records: Reading) -> None:
    """If several ids have this beginning, the message lists them."""
    with pytest.raises(
        UsageError, match=f"`2026` is ambiguous: it may be any of shop/{run_id(2)}, other ☃/{run_id(1)}, shop/{run_id(0)}"
    ) as raised:
        records().find("2026")

    assert raised.value.hint == "write more of the id, or choose with `--pipeline`"


def test_one_id_in_two_pipelines(records: Reading, tmp_path: Path) -> None:
    """Two runs of different pipelines with the same id are distinguished by the pipeline."""
    Recorded(tmp_path, OTHER, number=2)

    with pytest.raises(UsageError, match="is ambiguous") as raised:
        records().find(run_id(2))

    assert raised.value.hint == "choose one with `--pipeline`"
    assert records("shop").find(run_id(2)).pipeline == "shop"


@pytest.mark.parametrize("wanted", ["1999", "", "../shop", "notes", "20261122t"])
def test_a_run_that_there_is_not(records: Reading, tmp_path: Path, wanted: str) -> None:
    """A text that is not the beginning of a run's id finds nothing, even if it names something else."""
    with pytest.raises(UsageError, match=f"there is no run whose id is or begins with `{wanted}` in {tmp_path}"):
        records().find(wanted)


def test_an_unknown_pipeline(records: Reading) -> None:
    """A pipeline without runs is an error with the pipeline that was probably meant."""
    with pytest.raises(UsageError, match="no run of a pipeline `shp`") as raised:
        records("shp").runs()

    assert raised.value.hint == "did you mean `shop`?"


def test_a_place_without_runs(tmp_path: Path) -> None:
    """A place that does not exist has no runs, and no last run."""
    nowhere = Records(FolderObjects(tmp_path / "nowhere"))

    assert nowhere.runs() == []
    with pytest.raises(UsageError, match=f"there is no run in {tmp_path}/nowhere"):
        nowhere.find("last")
