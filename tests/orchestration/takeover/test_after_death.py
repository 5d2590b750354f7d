"""What a guardian does with a run whose record has gone with the container of the run."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Running

from dockercise_prefect.orchestration.guard.message import Told
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign
from dockercise_prefect.orchestration.takeover.after_death import after_death
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.runtime.cleanup.labels import Labels, RunIdentity
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.stage.environment import Outside
from tests.support.worker_runs import left_by

pytestmark = pytest.mark.docker


def nothing() -> None:
    """Stand in for a pipeline."""


def test_a_run_without_its_record_is_crashed_and_leaves_nothing(
    client: SyncPrefectClient, docker_session: DockerEngine, tmp_path: Path
) -> None:
    """The flow run is Crashed, and what the run has on the engine is removed."""
    flow_run = client.create_flow_run(Flow(nothing, name=f"gone-{uuid.uuid4().hex}"), state=Running())
    client.update_flow_run_labels(flow_run.id, Sign("nobody", 1).labels())
    labels = Labels(RunIdentity("20261130T010203Z-aaaa", "gone", str(flow_run.id)), "nobody")
    docker_session.create_volume(labels.name("left"), labels.of_run())

    after_death(
        Told(
            folder=str(tmp_path / "gone/20261130T010203Z-aaaa"),
            flow_run_id=str(flow_run.id),
            attempt=1,
            lease=None,
            worker=None,
            environment=dict(os.environ),
            pipeline=Pipeline("gone", []),
            targets=[],
            outside=Outside({}, {}),
        )
    )

    state = client.read_flow_run(flow_run.id).state
    assert state is not None
    assert state.is_crashed()
    assert left_by(docker_session, str(flow_run.id)) == []
