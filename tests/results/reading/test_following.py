"""Logs, read one after the other or while they grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.following import LogEnded, Printed, as_printed, as_stored
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus
from tests.support.recorded_runs import FIRST, SHOP, Recorded, failed_run, ran
from tests.support.steps import steps

NEEDS = {stage.name: stage.needs for stage in SHOP}
RUNNING = StageSummary(StageStatus.RUNNING, started=FIRST.isoformat())


def reading(record: Recorded) -> RecordedRun:
    """A reader of the record."""
    return RecordedRun(FolderObjects(record.folder.parents[1]), "shop", record.run_id)


def test_stored_logs_come_one_after_the_other(tmp_path: Path) -> None:
    """Each stage's log is complete before the next one begins; a stage without a log is reported."""
    run = reading(failed_run(tmp_path))

    assert list(as_stored(run, ["check", "greet", "hush"])) == [
        Printed("check", b"looking\ngrep: no match\n"),
        LogEnded("check", kept=True),
        Printed("greet", b"hello\n"),
        LogEnded("greet", kept=True),
        LogEnded("hush", kept=False),
    ]


def test_a_log_is_followed_until_its_stage_ends(tmp_path: Path) -> None:
    """The output of a stage is read while it grows, up to its last bytes, and then following ends."""
    record = Recorded(tmp_path)
    log = record.store.log("greet")
    log.write(b"one\n")

    def end() -> None:
        log.write(b"three\n")
        record.stage("greet", ran(StageStatus.PASSED, 0, 1))

    pause = steps(
        lambda: record.store.stage_started("greet", RUNNING),
        lambda: log.write(b"two\n"),
        lambda: None,
        end,
    )

    assert list(as_printed(reading(record), ["greet"], NEEDS, pause)) == [
        Printed("greet", b"one\n"),
        Printed("greet", b"two\n"),
        Printed("greet", b"three\n"),
        LogEnded("greet", kept=True),
    ]
    log.close()


def test_the_end_of_the_run_ends_all(tmp_path: Path) -> None:
    """When the run is over, following does not wait for a stage without an end of its own."""
    record = Recorded(tmp_path)
    record.store.stage_started("greet", RUNNING)

    assert list(as_printed(reading(record), ["greet", "check"], NEEDS, steps(record.end))) == [
        LogEnded("greet", kept=False),
        LogEnded("check", kept=False),
    ]


def test_stages_are_looked_at_in_the_order_of_the_run(tmp_path: Path) -> None:
    """Several stages are followed at the same time; a stage whose needs are still running is not read yet."""
    record = Recorded(tmp_path)
    run = reading(record)
    asked: list[str] = []

    class Counting(FolderObjects):
        def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
            asked.append(path.rpartition("/")[2])
            return super().chunks(path, start)

    counting = RecordedRun(Counting(tmp_path), run.pipeline, run.run_id)

    def greet() -> None:
        assert "check.json" not in asked
        record.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n")

    def rest() -> None:
        assert "check.json" in asked
        assert "deliver.json" not in asked
        record.stage("hush", ran(StageStatus.PASSED, 0, 1))
        record.stage("check", ran(StageStatus.FAILED, 1, 1, 1), b"no\n")

    def last() -> None:
        record.stage("deliver", StageSummary(StageStatus.NOT_STARTED, message="not started: check failed"))

    parts = list(as_printed(counting, ["greet", "hush", "check", "deliver"], NEEDS, steps(greet, lambda: None, rest, last)))

    assert parts == [
        Printed("greet", b"hello\n"),
        LogEnded("greet", kept=True),
        LogEnded("hush", kept=False),
        Printed("check", b"no\n"),
        LogEnded("check", kept=True),
        LogEnded("deliver", kept=False),
    ]


@pytest.mark.parametrize("size", [1, 300_000, 1_000_000])
def test_long_logs_are_read_once(tmp_path: Path, size: int) -> None:
    """No part of a log is given twice, however many pieces it has."""
    record = Recorded(tmp_path)
    record.stage("greet", ran(StageStatus.PASSED, 0, 1), b"x" * size)

    parts = list(as_printed(reading(record), ["greet"], NEEDS, steps()))

    assert sum(len(part.chunk) for part in parts if isinstance(part, Printed)) == size
