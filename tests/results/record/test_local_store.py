"""The record of a run in a folder."""

import itertools
import json
import os
import re
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.full_disk import largest_file

PASSED = StageSummary(StageStatus.PASSED, 0, "2026-11-22T19:03:12+00:00", "2026-11-22T19:03:13+00:00", "sha256:aa", "task-1")


def pipeline_of(*names: str, secret: str | None = None) -> dict[str, Any]:
    return to_json(Pipeline("hello", [stage(name, image="bb:1", run="…", no_log=name == secret or None) for name in names]))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A started record of a pipeline with the stages `a`, `b` and `hush`, of which `hush` is sensitive."""
    store = LocalStore(tmp_path / "results", "hello", "20261122T190312Z-7f3a")
    store.start(pipeline_of("a", "b", "hush", secret="hush"))
    return store


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_layout_is_what_others_rely_on(tmp_path: Path) -> None:
    """A run leaves index, summary, and for each stage its log and its entry with the value."""
    store = LocalStore(tmp_path, "hello", "run-1")
    store.start(pipeline_of("a"))
    store.stage_started("a", StageSummary(StageStatus.RUNNING, started="2026-11-22T19:03:12+00:00"))
    log = store.log("a")
    log.write(b"hello\n")
    log.close()
    store.stage_ended("a", PASSED, Kept("hello"))
    store.finish(RunSummary("run-1", "hello", RunStatus.PASSED, results=store.url, stages={"a": PASSED}))

    folder = tmp_path / "hello" / "run-1"
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "a.log", "index.json", "summary.json"]
    assert read(folder / "index.json") == pipeline_of("a")
    assert read(folder / "a.json") == {
        "stage": "a",
        "status": "passed",
        "exit_code": 0,
        "started": "2026-11-22T19:03:12+00:00",
        "finished": "2026-11-22T19:03:13+00:00",
        "image_digest": "sha256:aa",
        "task_run_id": "task-1",
        "message": None,
        "attempts": None,
        "because": None,
        "reused_from": None,
        "audit": None,
        "value": "hello",
        "sensitive": False,
        "sensitive_because": None,
        "left_out": {},
        "attempt": None,
        "earlier_attempts": [],
        "output_digest": None,
        "volume_digest": None,
        "output_size": None,
        "made_from": None,
    }
    assert (folder / "a.log").read_bytes() == b"hello\n"
    assert read(folder / "summary.json")["stages"]["a"]["status"] == "passed"
    assert read(folder / "summary.json")["results"] == folder.as_uri()


def test_a_stage_that_runs_is_on_record(store: LocalStore) -> None:
    """If the process of a run died, the record shows which stage was running."""
    store.stage_started("a", StageSummary(StageStatus.RUNNING))

    assert read(store.folder / "a.json")["status"] == "running"


def test_nobody_else_can_read_results(tmp_path: Path) -> None:
    """Every created folder, also a missing parent, and every file can be read only by the user, whatever the umask."""
    before = os.umask(0)
    try:
        store = LocalStore(tmp_path / "deep" / "results", "hello", "run-1")
        store.start(pipeline_of("a"))
        store.log("a").close()
        store.stage_ended("a", PASSED, Kept("hello"))
    finally:
        os.umask(before)

    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in sorted((tmp_path).rglob("*"))}
    assert {mode for path, mode in modes.items() if (tmp_path / path).is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if (tmp_path / path).is_file()} == {0o600}
    assert "deep/results/hello/run-1/a.log" in modes


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """An existing folder of the user keeps its access rights when results are written to it."""
    tmp_path.chmod(0o755)

    LocalStore(tmp_path, "hello", "run-1").start(pipeline_of("a"))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_sensitive_stages_leave_nothing(store: LocalStore) -> None:
    """Neither the value nor the log of a noLog stage is written to disk, even if a caller passes them."""
    log = store.log("hush")
    log.write(b"s3cret")
    log.close()
    store.stage_ended("hush", PASSED, Kept("s3cret"))

    entry = read(store.folder / "hush.json")
    assert (entry["value"], entry["sensitive"], entry["status"]) == (None, True, "passed")
    assert not (store.folder / "hush.log").exists()
    assert not [path for path in store.folder.iterdir() if b"s3cret" in path.read_bytes()]


@pytest.mark.parametrize("name", ["☃", "it's", 'say"so"', "a.b", ".hidden", "-rf", "$(id)", "*", "a.json", "a.log", "n" * 200])
def test_names_are_file_names_as_they_are(tmp_path: Path, name: str) -> None:
    """Every valid name of a stage names its files, up to the longest name."""
    store = LocalStore(tmp_path, name, "run-1")
    store.start(pipeline_of(name, "a"))
    store.log(name).close()

    store.stage_ended(name, PASSED, Kept(name))

    assert read(tmp_path / name / "run-1" / f"{name}.json")["value"] == name
    assert (tmp_path / name / "run-1" / f"{name}.log").exists()
    assert unquote(urlsplit(store.url).path) == str(tmp_path / name / "run-1")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../../etc/passwd", "index", "summary", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """A pipeline in Python cannot write results outside its folder or over the run's own files."""
    store = LocalStore(tmp_path, "hello", "run-1")

    with pytest.raises(UsageError, match="a stage cannot be called"):
        store.start({"stages": {name: {"no_log": None, "sensitive": None}}})
    with pytest.raises(UsageError, match="a pipeline cannot be called"):
        LocalStore(tmp_path, name, "run-1")

    assert not list(tmp_path.iterdir())


def test_a_log_is_byte_for_byte(store: LocalStore) -> None:
    """A log keeps bytes that are not UTF-8, carriage returns and NULs unchanged, and no end of line is added."""
    log = store.log("a")
    log.write(b"\xff\x00\r\n")
    log.write(b"end")
    log.close()
    log.close()

    assert (store.folder / "a.log").read_bytes() == b"\xff\x00\r\nend"


def test_a_log_can_be_read_while_it_is_written(store: LocalStore) -> None:
    """Written output can be read immediately, before the log is closed."""
    log = store.log("a")

    log.write(b"half a li")

    assert (store.folder / "a.log").read_bytes() == b"half a li"
    log.close()


def test_values_are_kept_whole_and_are_unicode(store: LocalStore) -> None:
    """A value of several megabytes is not cut, and half a surrogate pair becomes U+FFFD."""
    large = "☃" * 3_000_000

    store.stage_ended("a", PASSED, Kept(large))
    store.stage_ended("b", PASSED, Kept("caf\udce9 ☃"))

    assert read(store.folder / "a.json")["value"] == large
    assert read(store.folder / "b.json")["value"] == "caf\ufffd ☃"


def test_a_write_that_fails_leaves_the_former_file(store: LocalStore) -> None:
    """If the disk is full, the error names the file, the older entry stays whole, and no partial file is left."""
    store.stage_started("a", StageSummary(StageStatus.RUNNING))
    before = sorted(path.name for path in store.folder.iterdir())

    with largest_file(1000), pytest.raises(StorageError, match=re.escape(f"cannot write {store.folder / 'a.json'}")):
        store.stage_ended("a", PASSED, Kept("x" * 100_000))

    assert read(store.folder / "a.json")["status"] == "running"
    assert sorted(path.name for path in store.folder.iterdir()) == before


def test_only_stages_that_ran_wait_for_the_disk(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that ran is on the disk when its end is recorded. A thousand reused stages do not wait a thousand times."""
    synced: list[int] = []
    fsync = os.fsync

    def counted(number: int) -> None:
        synced.append(number)
        fsync(number)

    monkeypatch.setattr(os, "fsync", counted)

    for status in (StageStatus.RUNNING, StageStatus.CACHED, StageStatus.SKIPPED, StageStatus.NOT_STARTED):
        store.stage_ended("a", StageSummary(status), Kept())
    unsynced = len(synced)
    store.stage_ended("b", PASSED, Kept())

    assert (unsynced, len(synced)) == (0, 1)
    assert (read(store.folder / "a.json")["status"], read(store.folder / "b.json")["status"]) == ("not_started", "passed")


def test_numbers_of_any_size_are_written(store: LocalStore) -> None:
    """A number that needs more than 64 bits is written, as any other."""
    store.stage_ended("a", replace(PASSED, exit_code=2**70), Kept())

    assert read(store.folder / "a.json")["exit_code"] == 2**70


def test_a_log_that_cannot_be_written_fails_its_stage_in_the_end(store: LocalStore) -> None:
    """A full disk does not interrupt the stage's output: its entry is kept, and then the error is raised."""
    log = store.log("a")
    with largest_file(1000):
        log.write(b"x" * 5000)
        log.write(b"more")
        log.close()

    with pytest.raises(StorageError, match=re.escape(f"cannot write {store.folder / 'a.log'}")):
        store.stage_ended("a", PASSED, Kept("hello"))

    assert read(store.folder / "a.json")["value"] == "hello"


def test_a_log_that_cannot_be_opened_fails_its_stage_in_the_end(store: LocalStore) -> None:
    """The same is true if the log cannot even be opened."""
    (store.folder / "a.log").mkdir()
    log = store.log("a")
    log.write(b"hello")
    log.close()

    with pytest.raises(StorageError, match=r"a\.log: Is a directory"):
        store.stage_ended("a", PASSED, Kept("hello"))


def test_a_record_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    """If the index cannot be written, no folder of the run is left."""
    store = LocalStore(tmp_path, "hello", "run-1")

    with largest_file(100), pytest.raises(StorageError, match=r"index\.json"):
        store.start(pipeline_of("a"))

    assert list((tmp_path / "hello").iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    """If results cannot be written to their place, the error has the path and what to do."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match=r"cannot write .*/file/hello/run-1.*\n  hint: .*--results"):
        LocalStore(tmp_path / "file", "hello", "run-1").start(pipeline_of("a"))


def test_no_run_writes_into_another_ones_folder(tmp_path: Path) -> None:
    """A run id that is already used is an error; the existing record stays."""
    LocalStore(tmp_path, "hello", "run-1").start(pipeline_of("a"))

    with pytest.raises(StorageError, match="run-1: File exists"):
        LocalStore(tmp_path, "hello", "run-1").start(pipeline_of("b"))

    assert list(read(tmp_path / "hello" / "run-1" / "index.json")["stages"]) == ["a"]


def test_stages_are_recorded_from_several_threads(tmp_path: Path) -> None:
    """Stages that run at the same time keep separate records."""
    names = [f"s{number}" for number in range(40)]
    store = LocalStore(tmp_path, "hello", "run-1")
    store.start(pipeline_of(*names))

    def run(name: str) -> None:
        store.stage_started(name, StageSummary(StageStatus.RUNNING))
        log = store.log(name)
        for _ in range(20):
            log.write(f"{name}\n".encode())
        log.close()
        store.stage_ended(name, PASSED, Kept(name))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, names))

    assert [read(store.folder / f"{name}.json")["value"] for name in names] == names
    assert all((store.folder / f"{name}.log").read_text() == f"{name}\n" * 20 for name in names)


ENDLESS = """
import sys
from pathlib import Path
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus

store = LocalStore(Path(sys.argv[1]), "hello", "run-1")
store.start({"stages": {"a": {"no_log": None, "on": None, "sensitive": None}}})
log = store.log("a")
for number in range(1_000_000):
    log.write(b"%d\\n" % number)
    store.stage_ended("a", StageSummary(StageStatus.PASSED), Kept("x" * 200_000))
    print(number, flush=True)
"""


def test_a_killed_process_leaves_whole_files(tmp_path: Path) -> None:
    """After SIGKILL during writing, every JSON file can be read, and the log has everything that was written."""
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path], stdout=subprocess.PIPE, cwd=root, text=True) as process:
        assert process.stdout is not None
        written = list(itertools.islice(process.stdout, 21))
        process.send_signal(signal.SIGKILL)

    assert written == [f"{number}\n" for number in range(21)]

    folder = tmp_path / "hello" / "run-1"
    assert len(read(folder / "a.json")["value"]) == 200_000
    assert (folder / "a.log").read_text().startswith("".join(f"{number}\n" for number in range(21)))
