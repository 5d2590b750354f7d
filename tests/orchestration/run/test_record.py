"""What a stage's JSON contains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.orchestration.run.outputs import LONGEST_VALUE, RunOutputs
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, to_json
from dockercise_prefect.results.record.journal import Entry, Journal
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.runtime.files.output_volumes import OutputVolumes
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume
from dockercise_prefect.runtime.stage.running import EndedAtOnceError
from dockercise_prefect.status import RunStatus, StageStatus
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.runtime.workspaces import volumes_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def recorded(tmp_path: Path, pipeline: Pipeline, printed: bytes, volume: Iterator[bytes] | None = None) -> dict[str, Any]:
    """The JSON of the pipeline's first stage, which printed this and left these files."""
    store = LocalStore(tmp_path, "p", "run")
    store.start(to_json(pipeline))
    secrecy = Secrecy(pipeline)
    record = RunRecord(store, lambda _event: None, secrecy)
    (stage,) = pipeline
    engine = ScriptedEngine()
    volumes = OutputVolumes(engine, volumes_of(engine), lambda: BUSYBOX)
    outputs = RunOutputs(pipeline, store, secrecy, volumes, failed=record.failed, kept=lambda _stdout: ())
    record.stage_started(stage, NOW, None)
    writer = outputs.writer(stage.name)
    writer.write(printed)
    result = JobResult(
        stage=stage.name,
        attempt=1,
        status=StageStatus.PASSED,
        exit_code=0,
        message=None,
        started=NOW,
        finished=NOW,
        stdout=writer.close(),
    )
    record.stage_ended(stage, result, outputs.kept(stage, result), None)
    if volume is not None:
        record.keep_volume(stage, OwnVolume("volume", written=True), volume)
    record.bundle_outputs(pipeline)
    found: dict[str, Any] = json.loads((tmp_path / "p/run/a.json").read_bytes())
    return found


def test_a_value_up_to_the_bound_is_in_the_json(tmp_path: Path) -> None:
    """A value of 1 MiB is included, and white space around it does not count."""
    entry = recorded(tmp_path, compiled(a="a: {img: busybox:1, run: x}"), b" \n" + b"x" * LONGEST_VALUE + b"\n" * 100)

    assert entry["value"] == "x" * LONGEST_VALUE
    assert entry["left_out"] == {}


def test_a_value_stays_where_the_volume_is_left_out(tmp_path: Path) -> None:
    """If the files may not be kept, the value is still recorded."""

    def too_large() -> Iterator[bytes]:
        yield b"first files"
        raise EndedAtOnceError

    entry = recorded(tmp_path, compiled(a="a: {img: busybox:1, run: x}"), b"printed", too_large())

    assert entry["left_out"] == {"volume": "the run was killed"}
    assert entry["value"] == "printed"


def test_a_value_above_the_bound_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    """For a longer value the JSON shows its length and where the whole value is."""
    entry = recorded(tmp_path, compiled(a="a: {img: busybox:1, run: x}"), b"x" * (LONGEST_VALUE + 1))

    assert entry["value"] is None
    assert entry["left_out"] == {"value": "it has 1,048,577 bytes; a.out has the full value"}
    assert (tmp_path / "p/run/out.zip").exists()


@pytest.mark.parametrize("more", ["noLog: true", "env: {P: secret}"])
def test_a_long_value_that_is_sensitive_is_no_secret_about_its_length(tmp_path: Path, more: str) -> None:
    """If a stage's value is never in the JSON, the JSON does not show its length either."""
    text = f"meta: {{secrets: P}}\na: {{img: busybox:1, run: x, {more}}}"

    entry = recorded(tmp_path, compiled(a=text), b"x" * (LONGEST_VALUE + 1))

    assert entry["value"] is None
    assert entry["sensitive"]
    assert entry["left_out"] == {}


def test_a_stage_that_breaks_after_its_end_keeps_what_was_recorded(tmp_path: Path) -> None:
    """An internal error after the end of a stage becomes its status; its times, exit code and digest stay."""
    pipeline = compiled(a="a: {img: busybox:1, run: x}")
    store = LocalStore(tmp_path, "p", "run")
    store.start(to_json(pipeline))
    record = RunRecord(store, lambda _event: None, Secrecy(pipeline))
    (stage,) = pipeline
    result = JobResult(
        stage=stage.name, attempt=1, status=StageStatus.PASSED, exit_code=0, message=None, started=NOW, finished=NOW
    )
    record.stage_ended(stage, result, Kept(value="v", attempt=1, output_digest="sha256:aa"), "task-1")

    record.stage_broke(stage, "internal error: x", "task-1")

    entry = json.loads((tmp_path / "p/run/a.json").read_bytes())
    assert (entry["status"], entry["message"], entry["exit_code"]) == ("error", "internal error: x", 0)
    assert (entry["value"], entry["attempt"], entry["output_digest"]) == ("v", 1, "sha256:aa")
    assert entry["finished"] == NOW.isoformat()


def test_how_a_run_stands(tmp_path: Path) -> None:
    """A run whose process died has failed, however its stages ended. A run that somebody cancelled is cancelled."""
    pipeline = compiled(a="a: {img: busybox:1, run: x}")
    store = LocalStore(tmp_path, "p", "run")
    store.start(to_json(pipeline))
    record = RunRecord(store, lambda _event: None, Secrecy(pipeline))

    before = record.standing
    record.run_died()
    died = record.standing
    record.run_cancelled("SIGTERM")

    assert (before, died, record.standing) == (RunStatus.PASSED, RunStatus.FAILED, RunStatus.CANCELLED)
    ((what, entry),) = Journal(store.folder).entries()
    assert (what, entry["by"]) == (Entry.CANCELLED, "SIGTERM")
