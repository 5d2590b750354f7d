"""`fetch`: the volume of a stage, back as files."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from dockercise_prefect.archives.tarball import Entry, File, Folder, Link, tar_stream
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus
from tests.support.command import Command
from tests.support.recorded_runs import FIRST, Recorded, failed_run, ran, run_id

VOLUME: list[Entry] = [
    Folder(path="greet", mode=0o1777),
    Folder(path="greet/d", mode=0o750, mtime=1_000_000_000),
    File(path="greet/d/zeros", size=4096, content=lambda: [bytes(4096)], mode=0o640),
    File(path="greet/letter", size=5, content=lambda: [b"hello"], mode=0o755, mtime=1_000_000_000),
    Link(path="greet/l", target="d/zeros"),
]


@pytest.fixture
def run(tmp_path: Path) -> Recorded:
    """A run whose stage `greet` left files."""
    run = failed_run(tmp_path / "results")
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n", volume=VOLUME)
    return run


def there(folder: Path) -> list[str]:
    """Everything below a folder, also if the folder does not exist."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_volume_comes_back(command: Command, run: Recorded, tmp_path: Path) -> None:
    """Files, folders and links are the same below DIR as below the root of the volume."""
    outcome = command("fetch", "last", "greet", "out", "--results", "results")

    assert outcome == (0, "", "")
    assert there(tmp_path / "out") == ["d", "d/zeros", "l", "letter"]
    letter = tmp_path / "out" / "letter"
    assert (letter.read_text(), letter.stat().st_mode & 0o7777, letter.stat().st_mtime) == ("hello", 0o755, 1_000_000_000)
    assert (tmp_path / "out/d").stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("hush", "hush has `noLog: true`, so its volume is not kept"),
        ("check", "check left nothing in its volume"),
        ("deliver", "deliver never started"),
    ],
)
def test_no_volume_says_why(command: Command, run: Recorded, tmp_path: Path, stage: str, why: str) -> None:
    """If there is nothing to fetch, the reason is shown, nothing is made, and the status is 4."""
    outcome = command("fetch", "last", stage, "out", "--results", "results")

    assert outcome == (ExitStatus.NOTHING_TO_DO, "", f"there is nothing to fetch: {why}\n")
    assert not (tmp_path / "out").exists()


def test_a_stage_that_goes_on(command: Command, tmp_path: Path) -> None:
    """For a run that has not ended, the message reports what has not happened yet."""
    run = Recorded(tmp_path / "results")
    run.store.stage_started("greet", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))

    running = command("fetch", "last", "greet", "out", "--results", "results")
    waiting = command("fetch", "last", "check", "out", "--results", "results")

    assert running.err == "there is nothing to fetch: greet is still running, or was interrupted\n"
    assert waiting.err == "there is nothing to fetch: check has not started yet\n"


def test_a_reused_stage_without_files(command: Command, tmp_path: Path) -> None:
    """It never started in this run, but that is not why there is nothing to fetch."""
    run = Recorded(tmp_path / "results")
    run.stage("check", StageSummary(StageStatus.CACHED, 0, message="reused from x", reused_from="20261129T000000Z-0000"))

    outcome = command("fetch", "last", "check", "out", "--results", "results")

    assert outcome.err == "there is nothing to fetch: check left nothing in its volume\n"


def test_a_folder_in_use_is_refused(command: Command, run: Recorded, tmp_path: Path) -> None:
    """A folder that is not empty is wrong usage, and stays unchanged."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")

    outcome = command("fetch", "last", "greet", "out", "--results", "results")

    assert (outcome.status, there(tmp_path / "out")) == (ExitStatus.WRONG_INPUT, ["mine"])
    assert outcome.err == "out is not empty\n  hint: name a folder that is new or empty\n"


def test_devices_are_named(command: Command, run: Recorded, tmp_path: Path) -> None:
    """Files that cannot be made are left out, with a message on stderr that cannot control the terminal."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        pipe = tarfile.TarInfo("greet/pi\x1b[2Jpe")
        pipe.type = tarfile.FIFOTYPE
        archive.addfile(pipe)
    run.store.keep_volume("greet", [packed.getvalue()])

    outcome = command("fetch", "last", "greet", "out", "--results", "results")

    assert outcome == (0, "", "left out, not a file, folder or link: greet/pipe\n")


MEASURED = """
from pathlib import Path
from dockercise_prefect.cli import main
try:
    main()
finally:
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
"""The command, and its peak of resident memory in KB. (`getrusage` counts the parent's memory before the fork.)"""


def test_a_large_volume_needs_little_memory(run: Recorded, tmp_path: Path) -> None:
    """A volume of 200 MB, which takes few bytes in the archive, is fetched whole with less than 100 MB of memory."""
    piece, count = os.urandom(1 << 20), 200
    large = File(path="greet/large", size=count << 20, content=lambda: repeat(piece, count))
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), volume=[Folder(path="greet"), large])

    arguments = ["fetch", "last", "greet", str(tmp_path / "out"), "--results", str(tmp_path / "results")]
    measured = subprocess.run([sys.executable, "-c", MEASURED, *arguments], check=True, capture_output=True, text=True)

    assert int(measured.stdout) < 100_000  # KB
    with (tmp_path / "out/large").open("rb") as file:
        assert all(file.read(1 << 20) == piece for _ in range(count))
        assert file.read() == b""


def test_a_hostile_archive_is_said(command: Command, run: Recorded, tmp_path: Path) -> None:
    """A path that leads out of DIR is exit status 3, and nothing is left."""
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), volume=[*VOLUME, Folder(path="greet/../../evil")])

    outcome = command("fetch", "last", "greet", "out", "--results", "results")

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert outcome.err.startswith(f"{run.folder}/greet.tar.zst is broken: 'greet/../../evil' is outside the folder\n  hint: ")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil").exists()


MANY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
STORED = ZstdCompressor(write_checksum=True).compress(b"".join(tar_stream(VOLUME)))


@MANY
@given(at=st.integers(0, len(STORED) - 1), change=st.integers(0, 255))
def test_a_damaged_archive_leaves_nothing(command: Command, run: Recorded, tmp_path: Path, at: int, change: int) -> None:
    """An archive that is cut or has a changed byte gives exit status 3, no traceback and no DIR, or the complete volume."""
    damaged = STORED[:at] + (bytes([STORED[at] ^ change]) + STORED[at + 1 :] if change else b"")
    (run.folder / "greet.tar.zst").write_bytes(damaged)

    outcome = command("fetch", run_id(), "greet", "out", "--results", "results")

    if outcome.status == 0:  # a bit that means nothing
        assert ((tmp_path / "out/d/zeros").read_bytes(), (tmp_path / "out/letter").read_bytes()) == (bytes(4096), b"hello")
        shutil.rmtree(tmp_path / "out")
    else:
        assert outcome.status == ExitStatus.ENGINE_FAILED
        assert "greet.tar.zst is broken: " in outcome.err
    assert not (tmp_path / "out").exists()


@MANY
@given(size=st.one_of(st.integers(0, 14).map(lambda blocks: blocks * 512), st.integers(0, 14 * 512)))
def test_an_archive_that_ends_early_leaves_nothing(command: Command, run: Recorded, tmp_path: Path, size: int) -> None:
    """An archive that is stored whole but holds only a part of a volume is also broken, wherever it ends."""
    whole = b"".join(tar_stream(VOLUME))
    assert len(whole) == 16 * 512  # five headers, nine blocks of data, two of zeros
    run.store.keep_volume("greet", [whole[:size]])

    outcome = command("fetch", run_id(), "greet", "out", "--results", "results")

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert "greet.tar.zst is broken: " in outcome.err
    assert not (tmp_path / "out").exists()


def printed(run: Recorded, stage: str, *chunks: bytes) -> None:
    """A stage of a run that printed this on stdout."""
    output = run.store.output(stage)
    for chunk in chunks:
        output.write(chunk)
    output.close()


PRINTED = b"two\r\nlines \xff\0\n\n"


def test_what_a_stage_printed(run: Recorded, tmp_path: Path) -> None:
    """`--out` prints stdout byte for byte, and nothing else."""
    printed(run, "greet", PRINTED[:5], PRINTED[5:])
    command = [sys.executable, "-m", "dockercise_prefect", "fetch", "--out", "last", "greet", "--results", "results"]

    said = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    assert (said.stdout, said.stderr) == (PRINTED, b"")


def test_what_a_stage_of_an_older_record_printed(run: Recorded, tmp_path: Path) -> None:
    """Records of older versions have the output in `out.zip` only."""
    printed(run, "greet", PRINTED)
    run.store.bundle_outputs(["greet"])
    (run.folder / "greet.out").unlink()
    command = [sys.executable, "-m", "dockercise_prefect", "fetch", "--out", "last", "greet", "--results", "results"]

    said = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    assert said.stdout == PRINTED


def test_a_bundle_that_is_damaged(command: Command, run: Recorded) -> None:
    """A broken `out.zip` of an older record is reported as broken."""
    (run.folder / "out.zip").write_bytes(b"PK\3\4")

    outcome = command("fetch", "--out", "last", "greet", "--results", "results")

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert "out.zip is broken" in outcome.err


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("deliver", "deliver never started"),
        ("greet", "the output of greet is not in the record"),
        ("hush", "hush has `noLog: true`, so its output is not kept"),
    ],
)
def test_why_there_is_no_output(command: Command, run: Recorded, stage: str, why: str) -> None:
    """Without an output there is nothing to do, and the message shows the reason."""
    outcome = command("fetch", "--out", "last", stage, "--results", "results")

    assert (outcome.status, outcome.out) == (ExitStatus.NOTHING_TO_DO, "")
    assert f"there is nothing to fetch: {why}" in outcome.err


@pytest.mark.parametrize("arguments", [(), ("--out", "folder")])
def test_a_folder_or_the_output(command: Command, run: Recorded, arguments: tuple[str, ...]) -> None:
    """`fetch` must know whether the folder or the output is wanted."""
    outcome = command("fetch", "last", "greet", *arguments, "--results", "results")

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert "either a DIR or --out" in outcome.err
