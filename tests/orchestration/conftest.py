"""A run from its flow run to its summary, on a scripted engine and the session's Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client

from dockercise_prefect.orchestration.run.events import Event
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, Stage
from dockercise_prefect.settings import Settings, read_settings
from tests.engines.scripted import ScriptedEngine
from tests.orchestration.crash.flow_runs_of_tests import end_all
from tests.orchestration.running import Ran, RunIt


@pytest.fixture
def settings(tmp_path: Path, data_folder: Path) -> Settings:
    """Results go to the test's folder, and the server is that of the session."""
    return replace(read_settings(), results=str(tmp_path / "results"), data=data_folder, jobs=4)


@pytest.fixture
def scripted() -> ScriptedEngine:
    """An engine that does what the test defines."""
    return ScriptedEngine()


@pytest.fixture
def run(prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path) -> RunIt:
    """Runs stages as the command does."""

    def run_it(*stages: Stage, targets: tuple[str, ...] = (), **how: object) -> Ran:
        events: list[Event] = []
        pipeline = Pipeline("hello", stages, tags=["nightly"])
        options = replace(RunOptions(settings=settings, engine=scripted, observer=events.append), **how)  # type: ignore[arg-type]  # free keywords
        try:
            return Ran(launch(pipeline, tmp_path / "root", targets, options), None, events)
        except RunFailedError as failure:
            return Ran(failure.summary, failure, events)

    return run_it


@pytest.fixture
def client(prefect_api: str) -> Iterator[SyncPrefectClient]:
    """A client of the session's server. Afterwards, all flow runs that the test has made with it are over."""
    assert prefect_api
    with get_client(sync_client=True) as client:
        yield client
        end_all(client)
