"""The test reports of a stage, from its volume to the record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.run.events import Notice
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, to_json
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.tests.counts import TestCounts
from dockercise_prefect.runtime.stage.job import JobResult, Stdout
from dockercise_prefect.status import StageStatus
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import StageWorld, stage_world
from tests.support.recorded_runs import FIRST

REPORT = b"<testsuite><testcase name='good'/><testcase name='bad' time='2'><failure>token-1234</failure></testcase></testsuite>"


def with_reports(**yaml: str) -> Pipeline:
    """A pipeline whose stages have test reports."""
    pipeline = compiled(**yaml)
    return replace(pipeline, stages=[replace(stage, junit=("*.xml",)) for stage in pipeline])


def ran(
    engine: ScriptedEngine,
    results: Path,
    pipeline: Pipeline,
    writes: Mapping[str, bytes],
    *,
    exit_code: int = 0,
    outside: Mapping[str, Mapping[str, str]] | None = None,
) -> StageWorld:
    """A run whose first stage writes these files."""
    engine.script("work", Behaviour(writes=dict(writes), exit_code=exit_code))
    with stage_world(engine, pipeline, results, outside) as world:
        world.run(pipeline.stages[0].name)
    return world


def notices(world: StageWorld) -> list[str]:
    """What the user was told."""
    return [event.text for event in world.events if isinstance(event, Notice)]


@pytest.mark.parametrize("exit_code", [0, 1])
def test_reports_are_recorded(scripted: ScriptedEngine, tmp_path: Path, exit_code: int) -> None:
    """However a stage ended, the record counts its tests, and has them in a file of their own."""
    pipeline = with_reports(a=f"a: {{img: {BUSYBOX}, run: work}}")

    world = ran(scripted, tmp_path, pipeline, {"/a/r.xml": REPORT}, exit_code=exit_code)

    counts = TestCounts(tests=2, failures=1, seconds=2.0, failed=("bad",))
    assert world.record.stage("a").tests == counts
    assert world.entry("a")["tests"]["failed"] == ["bad"]
    tests = RecordedRun(world.store.objects, pipeline.name, "run").tests("a")
    assert tests is not None
    assert (tests.counts, [case.name for case in tests.cases]) == (counts, ["bad", "good"])
    assert "a.tar.zst" in world.files()


@pytest.mark.parametrize(
    ("writes", "told"),
    [
        ({}, "the test report of a is not kept: no file in its volume matches `*.xml`"),
        ({"/a/r.txt": b"no"}, "the test report of a is not kept: no file in its volume matches `*.xml`"),
        ({"/a/r.xml": b"<html/>"}, "test reports of a: r.xml is left out: its root is <html>, not <testsuites> or <testsuite>"),
    ],
    ids=["no file", "no report", "no tests"],
)
def test_a_missing_report_is_said(scripted: ScriptedEngine, tmp_path: Path, writes: dict[str, bytes], told: str) -> None:
    """A report that is missing or broken is said, and fails nothing."""
    world = ran(scripted, tmp_path, with_reports(a=f"a: {{img: {BUSYBOX}, run: work}}"), writes)

    assert notices(world) == [told]
    assert world.results["a"].status is StageStatus.PASSED
    assert world.record.storage_error is None


@pytest.mark.parametrize("more", ["env: TOKEN", "noLog: true"])
def test_sensitive_stages_have_no_report(scripted: ScriptedEngine, tmp_path: Path, more: str) -> None:
    """What a sensitive stage reports is not kept, and the user learns why."""
    pipeline = with_reports(meta="meta: {secrets: TOKEN}", a=f"a: {{img: {BUSYBOX}, run: work, {more}}}")

    world = ran(scripted, tmp_path, pipeline, {"/a/r.xml": REPORT}, outside={"a": {"TOKEN": "token-9999"}})

    assert "a.tests.json" not in world.files()
    assert world.record.stage("a").tests is None
    assert "the test report of a is not kept: its output is sensitive: its" in notices(world)[-1]


def test_secrets_of_other_stages_are_masked(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """A secret that reached the report of a stage that is not sensitive is masked in the record."""
    pipeline = with_reports(
        meta="meta: {secrets: TOKEN}",
        a=f"a: {{img: {BUSYBOX}, run: work}}",
        b=f"b: {{img: {BUSYBOX}, run: other, env: TOKEN}}",
    )

    world = ran(scripted, tmp_path, pipeline, {"/a/r.xml": REPORT}, outside={"b": {"TOKEN": "token-1234"}})

    text = (world.store.folder / "a.tests.json").read_text()
    assert "token-1234" not in text
    assert '"failed"' in text


def test_a_reused_stage_keeps_its_tests(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The tests of a stage that is reused are copied from the run that it is reused from."""
    pipeline = with_reports(a=f"a: {{img: {BUSYBOX}, run: work, cache: true}}")
    ran(scripted, tmp_path, pipeline, {"/a/r.xml": REPORT})
    store = LocalStore(tmp_path, pipeline.name, "later")
    store.start(to_json(pipeline))
    record = RunRecord(store, lambda _event: None, Secrecy(pipeline))
    reused = JobResult(
        stage="a",
        attempt=1,
        status=StageStatus.CACHED,
        exit_code=0,
        message="reused from run",
        started=FIRST,
        finished=FIRST,
        stdout=Stdout(0, None, "a.out", reused_from="run"),
    )

    record.stage_reused(pipeline.by_name["a"], reused)

    entry: dict[str, Any] = json.loads((store.folder / "a.json").read_bytes())
    assert entry["tests"]["failed"] == ["bad"]
    assert (store.folder / "a.tests.json").read_bytes() == (tmp_path / pipeline.name / "run" / "a.tests.json").read_bytes()


def test_files_of_two_stages_cannot_have_one_name(tmp_path: Path) -> None:
    """A stage `a.tests` beside a stage `a` with reports is refused before anything runs."""
    pipeline = with_reports(a=f"{{a: {{img: {BUSYBOX}, run: x}}, a.tests: {{img: {BUSYBOX}, run: x}}}}")

    with pytest.raises(UsageError, match=r"the tests of a would be stored where the end of a\.tests is"):
        LocalStore(tmp_path, "p", "run").start(to_json(pipeline))
