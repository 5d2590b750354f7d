"""Prefect's defaults for retries do not apply to stages, since the effects of a stage remain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect import flow
from prefect.settings import PREFECT_FLOWS_DEFAULT_RETRIES, PREFECT_TASKS_DEFAULT_RETRIES, temporary_settings

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.run import run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import read_settings
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

PIPELINE = Pipeline("hello", [stage("deploy", image=BUSYBOX, run="deploy")])


@pytest.fixture(autouse=True)
def retries(prefect_api: str) -> Iterator[None]:
    """The user's Prefect repeats all that fails."""
    with temporary_settings({PREFECT_TASKS_DEFAULT_RETRIES: 1, PREFECT_FLOWS_DEFAULT_RETRIES: 1}):
        yield


@pytest.fixture
def options(scripted: ScriptedEngine, tmp_path: Path, data_folder: Path) -> RunOptions:
    """The stage fails, and results go to the test's folder."""
    scripted.script("deploy", Behaviour(exit_code=1))
    settings = replace(read_settings(), results=str(tmp_path / "results"), data=data_folder)
    return RunOptions(settings=settings, engine=scripted)


def test_a_run_of_the_command_is_not_retried(
    options: RunOptions, scripted: ScriptedEngine, prefect_api: str, tmp_path: Path
) -> None:
    """A stage that fails has one container, and its run is Failed."""
    with pytest.raises(RunFailedError) as failed:
        launch(PIPELINE, tmp_path / "root", (), options)

    flow_run = prefect_records.flow_run(prefect_api, failed.value.summary.flow_run_id or "")
    assert len(scripted.runs) == 1
    assert failed.value.exit_status == ExitStatus.STAGE_FAILED
    assert flow_run.state == "Failed"


def test_a_compiled_flow_is_not_retried(options: RunOptions, scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The flow of a compiled module, which sets no retries, fails after one attempt."""

    @flow(name="hello")
    def compiled() -> RunSummary:
        return run_pipeline(PIPELINE, root=tmp_path / "root", options=options)

    with pytest.raises(RunFailedError) as failed:
        compiled()

    assert compiled.retries == 1
    assert len(scripted.runs) == 1
    assert failed.value.exit_status == ExitStatus.STAGE_FAILED
