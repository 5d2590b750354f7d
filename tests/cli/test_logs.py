"""`logs`: what the stages of a run printed."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.pipeline import Pipeline, instance, stage
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus
from tests.support.command import Command
from tests.support.recorded_runs import FIRST, Recorded, failed_run, ran, run_id

RAW = b"\xff\x00 half\r\n\x1b[31mred\x1b[0m \x1b]0;title\x07done"
DOCKERCISE = [sys.executable, "-m", "dockercise_prefect"]


@pytest.fixture
def run(tmp_path: Path) -> Recorded:
    """A run that failed."""
    return failed_run(tmp_path)


def test_all_logs_come_with_the_stages_names(command: Command, run: Recorded, tmp_path: Path) -> None:
    """Without a stage, each line follows the name of its stage, and the stages are in the order in which they began."""
    outcome = command("logs", "last", "--results", str(tmp_path))

    assert outcome.status == 0
    assert outcome.out == "greet   │ hello\ncheck   │ looking\ncheck   │ grep: no match\n"
    assert outcome.err == "the log of hush is not kept: its output is sensitive\n"


def test_one_log_is_byte_for_byte(tmp_path: Path) -> None:
    """A program reads exactly the bytes that the stage printed, without an added end of line."""
    record = Recorded(tmp_path)
    record.stage("greet", ran(StageStatus.PASSED, 0, 1), RAW)

    for follow in ([], ["-f"]):
        printed = subprocess.run(
            [*DOCKERCISE, "logs", "last", "greet", "--results", tmp_path, *follow], check=True, capture_output=True
        )
        assert (printed.stdout, printed.stderr) == (RAW, b"")


def test_a_terminal_is_safe(tmp_path: Path) -> None:
    """On a terminal colours stay, and no sequence that moves the cursor or sets the title comes through."""
    record = Recorded(tmp_path)
    record.stage("greet", ran(StageStatus.PASSED, 0, 1), RAW)
    ours, theirs = pty.openpty()

    subprocess.run([*DOCKERCISE, "logs", "last", "greet", "--results", tmp_path], check=True, stdout=theirs)
    os.close(theirs)

    with io.FileIO(ours) as terminal:
        assert terminal.read(4096) == "\ufffd half\r\n\x1b[31mred\x1b[0m done\x1b[0m\r\n".encode()


def test_a_poor_encoding_is_no_reason_to_stop(run: Recorded, tmp_path: Path) -> None:
    """Characters that the encoding of the output does not have are replaced."""
    run.stage("check", ran(StageStatus.FAILED, 1, 1, 1), "☃ snow\n".encode())

    printed = subprocess.run(
        [*DOCKERCISE, "logs", "last", "--results", tmp_path],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )

    assert b"check   | ? snow\n" in printed.stdout


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("hush", "the log of hush is not kept: its output is sensitive\n"),
        ("deliver", "there is no log of deliver: not started: check failed\n"),
    ],
)
def test_a_stage_without_a_log_says_why(command: Command, run: Recorded, tmp_path: Path, stage: str, said: str) -> None:
    """A stage that is sensitive or never ran has no log; this is reported, and is not a failure."""
    outcome = command("logs", "last", stage, "--results", str(tmp_path))

    assert (outcome.status, outcome.err) == (0, said)


def test_a_log_that_is_lost_is_a_failure(command: Command, run: Recorded, tmp_path: Path) -> None:
    """If the log of a stage that ran is missing, the exit status is 3; the other logs are still printed."""
    (run.folder / "greet.log").unlink()

    outcome = command("logs", "last", "--results", str(tmp_path))

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert "check   │ looking\n" in outcome.out
    assert f"the record of {run_id()} has no log of greet\n" in outcome.err


def test_a_stage_with_instances(command: Command, tmp_path: Path) -> None:
    """For a stage with a matrix, an instance has to be named."""
    which = instance("test", A="1")
    record = Recorded(tmp_path, Pipeline("p", [stage(which.name, instance=which, image="x")]))
    record.stage(which.name, ran(StageStatus.PASSED, 0, 1), b"hello\n")

    outcome = command("logs", record.run_id, "test", "--results", str(tmp_path))

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err == f"`test` has 1 instance in the run {record.run_id}\n  hint: name it: `'test(1)'`\n"
    assert command("logs", record.run_id, "test(1)", "--results", str(tmp_path)).out == "hello\n"


def test_an_unknown_stage(command: Command, run: Recorded, tmp_path: Path) -> None:
    """A stage that the run does not have is wrong usage."""
    outcome = command("logs", "last", "gret", "--results", str(tmp_path))

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err == f"`gret` is not a stage of the run {run_id()}\n  hint: did you mean `greet`?\n"


@pytest.fixture
def following(tmp_path: Path) -> Iterator[tuple[Recorded, subprocess.Popen[bytes]]]:
    """A run whose stage `greet` is still running, and the command that follows the whole run."""
    record = Recorded(tmp_path)
    record.store.stage_started("greet", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))
    with subprocess.Popen([*DOCKERCISE, "logs", "last", "-f", "--results", tmp_path], stdout=subprocess.PIPE) as process:
        yield record, process
        process.kill()


def test_a_run_is_followed_to_its_end(following: tuple[Recorded, subprocess.Popen[bytes]]) -> None:
    """Lines come while a stage runs, the lines of later stages follow, and the command ends with the run."""
    record, process = following
    assert process.stdout is not None
    log = record.store.log("greet")
    log.write(b"one\ntw")

    assert process.stdout.readline().decode() == "greet   │ one\n"
    log.write(b"o\nno end of line")
    assert process.stdout.readline().decode() == "greet   │ two\n"
    record.stage("greet", ran(StageStatus.PASSED, 0, 1))
    record.stage("check", ran(StageStatus.PASSED, 1, 1), b"looking\n")
    record.stage("hush", ran(StageStatus.PASSED, 0, 1))
    record.stage("deliver", ran(StageStatus.PASSED, 2, 1), b"")
    record.end()

    assert process.stdout.read().decode() == "greet   │ no end of line\ncheck   │ looking\n"
    assert process.wait() == 0


def test_who_has_read_enough_ends_it(following: tuple[Recorded, subprocess.Popen[bytes]]) -> None:
    """If the reader closes the pipe, the command ends quietly at the next line."""
    record, process = following
    assert process.stdout is not None
    log = record.store.log("greet")
    log.write(b"one\n")
    process.stdout.readline()

    process.stdout.close()
    log.write(b"two\n")

    assert process.wait() == 0


def test_ctrl_c_ends_following(following: tuple[Recorded, subprocess.Popen[bytes]]) -> None:
    """Ctrl-C interrupts following like every other command, with status 130."""
    record, process = following
    assert process.stdout is not None
    record.store.log("greet").write(b"one\n")
    process.stdout.readline()

    process.send_signal(2)

    assert process.wait() == ExitStatus.INTERRUPTED


def test_a_long_log_is_byte_for_byte(tmp_path: Path) -> None:
    """A log that is compressed in the record is printed as the stage printed it."""
    record = Recorded(tmp_path)
    record.stage("greet", ran(StageStatus.PASSED, 0, 1), RAW * 50_000)
    record.end()

    printed = subprocess.run([*DOCKERCISE, "logs", "last", "greet", "--results", tmp_path], check=True, capture_output=True)

    assert (record.folder / "greet.log.zst").exists()
    assert (printed.stdout, printed.stderr) == (RAW * 50_000, b"")


def test_a_damaged_log_is_an_error(command: Command, run: Recorded, tmp_path: Path) -> None:
    """A compressed log that is cut is reported by name, with exit status 3, like a damaged volume."""
    (run.folder / "check.log.zst").write_bytes(b"(\xb5/\xfd")

    outcome = command("logs", "last", "check", "--results", str(tmp_path))

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert f"{run.folder}/check.log.zst is broken: truncated" in outcome.err
    assert "Traceback" not in outcome.err
