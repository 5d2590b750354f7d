"""Long logs: compressed when their stage has ended, and read like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from zstandard import ZstdDecompressor

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.reading.following import LogEnded, Printed, as_printed
from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.record.log_file import LONGEST_PLAIN
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus
from tests.support.full_disk import largest_file
from tests.support.recorded_runs import FIRST, SHOP, Recorded, ran
from tests.support.steps import steps

LONG = b"".join(b"line %d, and not the last\n" % number for number in range(100_000))
PASSED = ran(StageStatus.PASSED, 0, 1)
ROOT = Path(__file__).parents[3]

KILLED = """
import os, sys
from pathlib import Path
from tests.support.recorded_runs import Recorded

record = Recorded(Path(sys.argv[1]))
log = record.store.log("greet")
log.write(sys.stdin.buffer.read())
log.close()
record.store.when_log_is_kept("greet", lambda _: os._exit(9))
record.store.settle()
"""
"""Ends between the two steps: the compressed log exists, and the plain one has not been removed yet."""


def reading(record: Recorded) -> RecordedRun:
    """A reader of the record."""
    return RecordedRun(FolderObjects(record.folder.parents[1]), "shop", record.run_id)


def logs_of(folder: Path) -> list[str]:
    """The files of the logs, and any unexpected files."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".json")


def test_a_long_log_is_compressed_and_a_short_one_is_not(tmp_path: Path) -> None:
    """After the record is settled, a log above the limit exists only compressed, and only the user can read it."""
    record = Recorded(tmp_path)
    record.stage("greet", PASSED, LONG)
    record.stage("check", PASSED, LONG[:LONGEST_PLAIN])

    record.store.settle()

    packed = record.folder / "greet.log.zst"
    assert logs_of(record.folder) == ["check.log", "greet.log.zst"]
    assert packed.stat().st_mode & 0o777 == 0o600
    assert packed.stat().st_size < len(LONG) / 5
    assert ZstdDecompressor().stream_reader(packed.read_bytes()).read() == LONG


def test_a_log_is_said_to_be_where_it_is(tmp_path: Path) -> None:
    """The reported file of a log is the final one, and at that moment both files exist."""
    record = Recorded(tmp_path)
    told: list[tuple[str | None, list[str]]] = []
    record.stage("greet", PASSED, LONG)
    record.stage("check", PASSED, b"short\n")

    for name in ("greet", "check", "hush"):
        record.store.when_log_is_kept(name, lambda file: told.append((file, logs_of(record.folder))))
    record.store.settle()

    assert {file for file, _ in told} == {"greet.log.zst", "check.log", None}
    assert all(file is None or file in there for file, there in told)


@pytest.mark.parametrize("there", [{"log"}, {"log", "log.zst"}, {"log.zst"}])
@pytest.mark.parametrize("start", [0, 1, len(LONG) // 2, len(LONG) - 1, len(LONG), len(LONG) + 1])
def test_a_log_is_read_from_any_offset(tmp_path: Path, there: set[str], start: int) -> None:
    """Offsets count the bytes that the stage printed, whichever of its two files exist."""
    record = Recorded(tmp_path)
    record.stage("greet", PASSED, LONG)
    record.store.settle()
    if "log" in there:
        (record.folder / "greet.log").write_bytes(LONG)
    if "log.zst" not in there:
        (record.folder / "greet.log.zst").unlink()

    assert b"".join(reading(record).log("greet", start)) == LONG[start:]


def test_a_log_that_is_replaced_between_two_looks_is_found(tmp_path: Path) -> None:
    """A reader who has found no compressed log, and then no plain one, looks again."""

    class Replaced(FolderObjects):
        def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
            if path.endswith(".log"):
                record.stage("greet", PASSED, LONG)
                record.store.settle()
            yield from super().chunks(path, start)

    record = Recorded(tmp_path)
    run = RecordedRun(Replaced(tmp_path), "shop", record.run_id)

    assert b"".join(run.log("greet", 1)) == LONG[1:]


def test_a_log_that_there_is_not_is_named(tmp_path: Path) -> None:
    """If neither file exists, the error names the plain one."""
    run = reading(Recorded(tmp_path))

    with pytest.raises(NotStoredError, match=r"there is no .*/greet\.log$"):
        list(run.log("greet"))


def test_a_log_is_followed_across_its_replacement(tmp_path: Path) -> None:
    """A reader of a part of the plain log continues in the compressed one, and misses and repeats nothing."""
    record = Recorded(tmp_path)
    record.store.stage_started("greet", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))
    log = record.store.log("greet")
    log.write(LONG)

    def replace() -> None:
        log.write(b"and more\n")
        log.close()
        record.store.settle()

    pause = steps(replace, lambda: None, lambda: record.store.stage_ended("greet", PASSED, Kept()))
    found = list(as_printed(reading(record), ["greet"], {stage.name: stage.needs for stage in SHOP}, pause))

    assert b"".join(part.chunk for part in found if isinstance(part, Printed)) == LONG + b"and more\n"
    assert found[-1] == LogEnded("greet", kept=True)
    assert logs_of(record.folder) == ["greet.log.zst"]


def test_a_full_disk_leaves_the_plain_log(tmp_path: Path) -> None:
    """A log that cannot be compressed stays unchanged, fails nothing, and leaves no partial file."""
    record = Recorded(tmp_path)
    noise = os.urandom(2 * LONGEST_PLAIN)
    log = record.store.log("greet")
    log.write(noise)

    with largest_file(LONGEST_PLAIN):
        log.close()
        record.store.settle()
    record.store.stage_ended("greet", PASSED, Kept())

    assert [path.name for path in record.folder.iterdir() if path.name.startswith(("greet.log", "."))] == ["greet.log"]
    assert b"".join(reading(record).log("greet")) == noise


def test_a_process_that_is_killed_between_the_steps_leaves_both(tmp_path: Path) -> None:
    """Each of the two files has the whole log, and it is read once."""
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], input=LONG, cwd=ROOT, check=False)

    (folder,) = (tmp_path / "shop").iterdir()
    assert killed.returncode == 9
    assert logs_of(folder) == ["greet.log", "greet.log.zst"]
    assert b"".join(RecordedRun(FolderObjects(tmp_path), "shop", folder.name).log("greet")) == LONG


def test_a_run_that_is_left_leaves_every_log_in_one_piece(tmp_path: Path) -> None:
    """A run that does not wait for its logs leaves each of them whole, plain or compressed, and no partial file."""
    record = Recorded(tmp_path)
    for name in ("greet", "check", "deliver"):
        record.stage(name, PASSED, LONG)

    record.leave()

    found = logs_of(record.folder)
    assert len(found) == 3
    for name in ("greet", "check", "deliver"):
        assert {f"{name}.log", f"{name}.log.zst"} & set(found)
        assert b"".join(reading(record).log(name)) == LONG


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda packed: packed[:-1], "truncated"),
        (lambda packed: packed + b"x", "there is more data after its end"),
        (lambda packed: packed[:1000] + b"\0" * 50 + packed[1050:], "damaged"),
        (lambda _: b"", "truncated"),
    ],
)
def test_a_damaged_log_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], why: str) -> None:
    """A compressed log that is not whole is never taken for the output of a stage."""
    record = Recorded(tmp_path)
    record.stage("greet", PASSED, LONG)
    record.store.settle()
    packed = record.folder / "greet.log.zst"
    packed.write_bytes(damage(packed.read_bytes()))

    with pytest.raises(BrokenRecordError, match=rf"shop/{record.run_id}/greet\.log\.zst is broken: {why}"):
        list(reading(record).log("greet"))
