"""The record of a run whose process died gets an end, whatever the process was doing when it died."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.run_list import listed
from dockercise_prefect.results.reading.run_view import look
from dockercise_prefect.results.record.owner_mark import OwnerMark, mark_owner, owner_of
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.upkeep.dead_run import NEVER_STARTED, RAN, Death, end_dead_run
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import FIRST, Recorded, ran

DEATH = Death("it died", FIRST + timedelta(seconds=9), "flow-1", "http://prefect/flow-1")


def page(folder: Path, pipeline: Pipeline, summary: RunSummary) -> str:
    """A page that names what it was made of."""
    return f"{folder.name} {len(pipeline)} {summary.status}"


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A run that passed its first stage, and died in the second."""
    recorded = Recorded(tmp_path)
    mark_owner(recorded.folder, OwnerMark("owner", "flow-1", None))
    recorded.stage("greet", ran(StageStatus.PASSED, 0, 1), log=b"hello\n")
    recorded.store.stage_started("check", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))
    return recorded


def run_of(recorded: Recorded) -> RecordedRun:
    """The record, as readers open it."""
    return RecordedRun(FolderObjects(recorded.folder.parent.parent), "shop", recorded.run_id)


def test_each_stage_gets_its_end(recorded: Recorded) -> None:
    """What had ended stays as it was, what ran is in error, and the others never started."""
    run = run_of(recorded)

    summary = end_dead_run(run, DEATH, page)

    assert summary is not None
    assert {name: stage.status for name, stage in summary.stages.items()} == {
        "greet": StageStatus.PASSED,
        "hush": StageStatus.NOT_STARTED,
        "check": StageStatus.ERROR,
        "deliver": StageStatus.NOT_STARTED,
    }
    assert summary.stages["check"].message == RAN
    assert summary.stages["deliver"].message == NEVER_STARTED


def test_readers_see_how_the_run_ended(recorded: Recorded) -> None:
    """The list of runs, the view of the run and its page show the error; the log is still there."""
    run = run_of(recorded)

    end_dead_run(run, DEATH, page)

    (row,) = listed([run])
    summary = look(run).summary
    assert (row.status, row.problem) == ("error", None)
    assert summary is not None
    assert (summary.error, summary.flow_run_id, summary.flow_run_url) == ("it died", "flow-1", "http://prefect/flow-1")
    assert (summary.started, summary.finished) == (FIRST.isoformat(), DEATH.at.isoformat())
    assert (recorded.folder / "report.html").read_text() == f"{recorded.run_id} 4 error"
    assert b"".join(run.log("greet")) == b"hello\n"


def test_nothing_of_the_dead_process_is_left(recorded: Recorded) -> None:
    """Files that were never finished and the mark of the process are removed."""
    (recorded.folder / ".abc.tmp").write_text("half")

    end_dead_run(run_of(recorded), DEATH, page)

    assert [path.name for path in recorded.folder.iterdir() if path.name.startswith(".")] == []
    assert owner_of(recorded.folder) is None


def test_a_run_that_has_ended_is_not_changed(recorded: Recorded) -> None:
    """If the run has written its own summary in the meantime, that summary stays."""
    recorded.end(RunStatus.PASSED)

    assert end_dead_run(run_of(recorded), DEATH, page) is None
    assert json.loads((recorded.folder / "summary.json").read_text())["status"] == "passed"
    assert not (recorded.folder / "report.html").exists()


def test_twice_does_no_harm(recorded: Recorded) -> None:
    """The second time, there is nothing to do, and the first summary stays."""
    first = end_dead_run(run_of(recorded), DEATH, page)

    assert first is not None
    assert end_dead_run(run_of(recorded), Death("other", datetime.now(UTC)), page) is None
    assert run_of(recorded).summary() == first


def test_a_run_that_died_at_its_very_begin_gets_an_end(tmp_path: Path) -> None:
    """A folder that holds nothing yet gets a summary without stages; a folder that does not exist is not made."""
    empty = RecordedRun(FolderObjects(tmp_path), "shop", "20261129T120000Z-7f3a")
    absent = RecordedRun(FolderObjects(tmp_path), "shop", "20261129T120000Z-8f3a")
    (tmp_path / empty.path).mkdir(parents=True)

    summary = end_dead_run(empty, DEATH, page)

    assert summary is not None
    assert (summary.status, dict(summary.stages)) == (RunStatus.ERROR, {})
    assert end_dead_run(absent, DEATH, page) is None
    assert not (tmp_path / absent.path).exists()


def test_a_broken_file_does_not_hide_the_end(recorded: Recorded) -> None:
    """If a stage's file cannot be read, the stage counts as never started, and the run still gets its end."""
    (recorded.folder / "check.json").write_text("{")

    summary = end_dead_run(run_of(recorded), DEATH, page)

    assert summary is not None
    assert summary.stages["check"].status is StageStatus.NOT_STARTED


def test_a_page_that_cannot_be_made_does_not_hide_the_end(recorded: Recorded) -> None:
    """If the page of the run cannot be made, the run has an end without a page."""

    def broken(_folder: Path, _pipeline: Pipeline, _summary: RunSummary) -> str:
        raise StorageError("no page")

    assert end_dead_run(run_of(recorded), DEATH, broken) is not None
    assert not (recorded.folder / "report.html").exists()
    assert (recorded.folder / "summary.json").exists()


def test_a_mark_of_another_making_is_none(tmp_path: Path) -> None:
    """A mark that cannot be read says nothing about the process."""
    (tmp_path / ".owner").write_text("[]")

    assert owner_of(tmp_path) is None
