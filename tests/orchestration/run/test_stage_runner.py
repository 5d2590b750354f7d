"""A stage inside its task run, without Prefect: its events, its log and its record."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.run.events import StageEnded, StageOutput, StageStarted
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.status import StageStatus
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import LOG, stage_world

ONE = f"a: {{img: {BUSYBOX}, run: work}}"


def test_a_stage_that_passes(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Observers get its start, its lines and its end; its record has its value, log, output and volume."""
    scripted.script("work", Behaviour(stdout=b"one\ntwo\n", writes={"/a/f": b"x"}))
    with stage_world(scripted, compiled(a=ONE), tmp_path) as world:
        result = world.run("a")

    assert result.status is StageStatus.PASSED
    assert [event for event in world.events if isinstance(event, StageStarted | StageOutput)] == [
        StageStarted("a"),
        StageOutput("a", "stdout", "one"),
        StageOutput("a", "stdout", "two"),
    ]
    assert isinstance(world.events[-1], StageEnded)
    assert world.files() == {".journal", "index.json", "a.json", "a.log", "a.out", "a.tar.zst", "out.zip"}
    entry = world.entry("a")
    assert (entry["value"], entry["attempt"], entry["task_run_id"]) == ("one\ntwo", 1, "task-1")
    assert entry["output_digest"].startswith("sha256:")
    assert entry["volume_digest"].startswith("sha256:")
    shown, tail = world.shown["a"]
    assert tail == ["one", "two"]
    assert shown.stdout is not None
    assert shown.volume is not None
    assert (shown.stdout.file, shown.stdout.digest) == ("a.out", entry["output_digest"])
    assert (shown.volume.file, shown.volume.digest) == ("a.tar.zst", entry["volume_digest"])


def test_a_stage_without_files(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """A stage that leaves nothing in its volume has no archive and no digest of it, and still counts as recorded."""
    with stage_world(scripted, compiled(a=ONE), tmp_path) as world:
        result = world.run("a")

    assert "a.tar.zst" not in world.files()
    assert world.entry("a")["volume_digest"] is None
    assert world.shown["a"] == (result, [])


@pytest.mark.parametrize(
    ("more", "level"),
    [("", logging.ERROR), (", neverFail: true", logging.WARNING)],
)
def test_a_failure_is_logged(
    scripted: ScriptedEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture, more: str, level: int
) -> None:
    """A failure is an error in the task run's log; a tolerated failure is a warning."""
    scripted.script("work", Behaviour(stderr=b"why\n", exit_code=3))
    caplog.set_level(logging.INFO, LOG.name)

    with stage_world(scripted, compiled(a=ONE.replace("work", f"work{more}")), tmp_path) as world:
        result = world.run("a")

    assert result.status is (StageStatus.TOLERATED if more else StageStatus.FAILED)
    assert [(record.levelno, record.getMessage()) for record in caplog.records if record.name == LOG.name] == [
        (logging.INFO, "why"),
        (level, result.message),
    ]


class _Breaking(LocalStore):
    """A record with a mistake."""

    def keep_volume(self, name: str, files: Iterable[bytes]) -> str | None:
        raise AssertionError(name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_ever_for_a_volume(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If a volume cannot be stored because of a mistake of ours, it is said that nobody will know what it holds."""
    scripted.script("work", Behaviour(writes={"/a/f": b"x"}))
    with stage_world(scripted, compiled(a=ONE), tmp_path, open_store=_Breaking) as world:
        result = world.run("a")

    assert [read.stage for read in world.read] == ["a"]
    assert world.read[0].volume == result.volume
    assert result.volume is not None
    assert result.volume.digest is None
