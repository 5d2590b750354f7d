"""Reading the record of one run, complete or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.archives.tarball import File
from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.reading.run_list import listed
from dockercise_prefect.results.reading.run_view import look
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import FIRST, SHOP, Recorded, failed_run, ran

NOT_OURS = [b"", b"{", b"[]", b"null", b'{"status": "splendid"}', b'{"stages": 1}', b"\xff", b"[" * 100_000]


@pytest.fixture
def record(tmp_path: Path) -> Recorded:
    """The record of a run that failed."""
    return failed_run(tmp_path / "my results")


@pytest.fixture
def run(record: Recorded) -> RecordedRun:
    """A reader of this record."""
    return RecordedRun(FolderObjects(record.folder.parents[1]), "shop", record.run_id)


def test_what_was_written_is_read(record: Recorded, run: RecordedRun) -> None:
    """Index, summary, stages and logs are read as they were written, with the present address of the record."""
    view = look(run)

    assert (view.pipeline, view.problems) == (SHOP, ())
    assert view.summary is not None
    assert view.summary.to_json() == json.loads((record.folder / "summary.json").read_text())
    assert view.stages == view.summary.stages
    assert view.critical_path == ("greet", "check")
    assert b"".join(run.log("check")) == b"looking\ngrep: no match\n"
    assert (run.url, run.began) == (record.folder.as_uri(), FIRST)
    assert run.link("out.zip") == f"{record.folder}/out.zip"


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    """If there is no summary, the objects of the stages show what has happened."""
    record = Recorded(tmp_path)
    record.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n")
    record.store.stage_started("check", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))

    view = look(RecordedRun(FolderObjects(tmp_path), "shop", record.run_id))

    assert (view.summary, view.problems) == (None, ())
    assert {name: stage.status for name, stage in view.stages.items()} == {"greet": "passed", "check": "running"}
    assert not view.run.is_over()


@pytest.mark.parametrize("content", NOT_OURS)
def test_a_broken_summary_costs_only_itself(record: Recorded, run: RecordedRun, content: bytes) -> None:
    """Any broken `summary.json` is reported, and the stages are read from their own objects."""
    (record.folder / "summary.json").write_bytes(content)

    view = look(run)
    (line,) = listed([run])

    assert view.summary is None
    assert [problem.partition(":")[0] for problem in view.problems] == [f"{record.folder}/summary.json is broken"]
    assert view.stages["check"].exit_code == 1
    assert (line.status, line.problem) == ("broken", view.problems[0])


@pytest.mark.parametrize("content", [*NOT_OURS, None])
def test_a_broken_index_costs_the_edges(record: Recorded, run: RecordedRun, content: bytes | None) -> None:
    """If the index cannot be read, the summary still lists the stages."""
    (record.folder / "index.json").unlink()
    if content is not None:
        (record.folder / "index.json").write_bytes(content)

    view = look(run)

    assert [stage.name for stage in view.pipeline] == ["greet", "hush", "check", "deliver"]
    assert len(view.problems) == 1
    assert "index.json is broken: " in view.problems[0]


def test_a_broken_entry_is_said(tmp_path: Path) -> None:
    """If one stage of an unfinished run is broken, the others can still be read."""
    record = Recorded(tmp_path)
    record.stage("greet", ran(StageStatus.PASSED, 0, 1))
    (record.folder / "check.json").write_text("{")

    view = look(RecordedRun(FolderObjects(tmp_path), "shop", record.run_id))

    assert list(view.stages) == ["greet"]
    assert len(view.problems) == 1
    assert "check.json is broken: not JSON" in view.problems[0]


@pytest.mark.parametrize("left", [b"", b"\0" * 512])
def test_an_entry_that_a_power_cut_has_emptied_is_missing(record: Recorded, run: RecordedRun, left: bytes) -> None:
    """If the file of a stage that did not run never reached the disk, the rest of the record is read as if it were missing."""
    (record.folder / "deliver.json").write_bytes(left)

    view = look(run)

    assert (run.entry("deliver"), run.kept("deliver")) == (None, None)
    assert (view.stages["deliver"].status, view.problems) == (StageStatus.NOT_STARTED, ())


def test_keys_of_later_versions_are_left_out() -> None:
    """Unknown keys of a summary are ignored, and missing keys are None."""
    data: dict[str, Any] = {
        "run_id": "r",
        "pipeline": "p",
        "status": "passed",
        "mood": 1,
        "stages": {"a": {"status": "passed", "x": 2}},
    }

    summary = RunSummary.from_json(data)

    assert (summary.status, summary.started, summary.stages) == (
        RunStatus.PASSED,
        None,
        {"a": StageSummary(StageStatus.PASSED)},
    )


@pytest.mark.parametrize(
    "wrong", [{"started": "yesterday"}, {"started": 5}, {"started": "2026-11-22T19:03:12"}, {"message": {}}, {"exit_code": "1"}]
)
def test_fields_of_another_kind_are_no_summary(wrong: dict[str, Any]) -> None:
    """A value of the wrong type is refused when it is read, because it could not be shown later."""
    with pytest.raises((TypeError, ValueError)):
        StageSummary.from_json({"status": "passed", **wrong})


def test_a_log_is_read_from_where_one_was(run: RecordedRun) -> None:
    """A growing log is read from an offset on, and after its end there is nothing."""
    assert b"".join(run.log("check", 8)) == b"grep: no match\n"
    assert list(run.log("check", 1000)) == []
    with pytest.raises(NotStoredError):
        list(run.log("deliver"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-1], "truncated"),
        (lambda data: data[:100], "truncated"),
        (lambda data: data[:0], "truncated"),
        (lambda data: data + b"x", "there is more data after its end"),
        (lambda data: data + data, "there is more data after its end"),
        (lambda data: b"PK" + data, "damaged"),
        (lambda data: data[:-2] + b"\0\0", "damaged"),
    ],
)
def test_a_damaged_volume_is_said(record: Recorded, run: RecordedRun, damage: Any, said: str) -> None:
    """Any difference to the stored volume is an error, at the latest when all of it has been read."""
    content = bytes(range(256)) * 64
    record.store.keep_volume("greet", [content])
    path = record.folder / "greet.tar.zst"
    assert b"".join(run.archive("greet")) == content

    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(BrokenRecordError, match=rf"greet\.tar\.zst is broken: {said}"):
        list(run.archive("greet"))


def test_a_volume_that_expands_to_much_comes_in_pieces(record: Recorded, run: RecordedRun) -> None:
    """A few bytes that expand to gigabytes are never in memory as a whole."""
    record.store.keep_volume("greet", (bytes(1 << 20) for _ in range(300)))

    pieces = [len(chunk) for chunk in run.archive("greet")]

    assert sum(pieces) == 300 << 20
    assert max(pieces) <= 17 << 20


def test_an_unknown_stage(run: RecordedRun) -> None:
    """A stage that is not in the run is an error with the stage that was probably meant."""
    with pytest.raises(UsageError, match="`chek` is not a stage of the run") as raised:
        look(run).stage("chek")

    assert raised.value.hint == "did you mean `check`?"


def test_a_place_that_cannot_be_read_is_said(record: Recorded, run: RecordedRun) -> None:
    """A failure of the place itself is not taken for a missing record."""
    (record.folder / "summary.json").unlink()
    (record.folder / "summary.json").symlink_to("summary.json")

    with pytest.raises(StorageError, match="cannot read"):
        look(run)


def test_has_asks_without_reading_all(record: Recorded, run: RecordedRun) -> None:
    """An object exists or not, also if it is empty."""
    record.store.bundle_outputs([])

    assert (run.has("out.zip"), run.has("report.html"), run.is_over()) == (True, False, True)


def test_files_of_any_size_are_kept_exactly(record: Recorded, run: RecordedRun) -> None:
    """A file that a store compressed comes back byte for byte."""
    data = bytes(range(256)) * 5000
    record.stage("greet", ran(StageStatus.PASSED, 0, 1), volume=[File(path="greet/f", size=len(data), content=lambda: [data])])

    assert data in b"".join(run.archive("greet"))
