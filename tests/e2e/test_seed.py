"""The seed's own pipeline with unchanged files, from YAML to a stack in AWS, on a real engine and a real Prefect server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.aws.aws_image import seed_images
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, running_aws
from tests.support.engine_client import engine_client
from tests.support.inspection import InspectionRecorder
from tests.support.prefect.prefect_records import ask, flow_run, task_runs
from tests.support.seed import ACCOUNT, CREDENTIAL_STAGES, EDGES, STAGES, SeedRun, run_seed

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Seen:
    """A run of the seed, and what the engine and AWS reported about it."""

    run: SeedRun
    stack_status: str | None
    inspection: InspectionRecorder

    def value(self, stage: str) -> str:
        """A stage's value, from the run's results."""
        folder = Path(str(self.run.summary["results"]).removeprefix("file://"))
        entry = json.loads((folder / f"{stage}.json").read_text(encoding="utf-8"))
        return str(entry["value"])


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Seen:
    """The seed's pipeline, run once with a test's AWS folder against an AWS on loopback."""
    with seed_images(), running_aws() as aws, InspectionRecorder() as inspection:
        run = run_seed(tmp_path_factory.mktemp("seed"), data_folder, aws)
        return Seen(run, aws.stack_status(ACCOUNT, "infra"), inspection)


def test_every_stage_of_the_seed_passes(seed: Seen) -> None:
    """The seed's seven stages pass, and so does the run."""
    assert seed.run.statuses == dict.fromkeys(STAGES, "passed"), seed.run.progress
    assert seed.run.summary["status"] == "passed"
    assert seed.run.exit_status == 0


def test_the_stack_is_created(seed: Seen) -> None:
    """The stack of the seed's pipeline exists in the account whose role it assumed."""
    assert seed.stack_status == "CREATE_COMPLETE"


def test_prefect_has_seven_completed_task_runs(seed: Seen) -> None:
    """Prefect shows one Completed task run for each stage, with the name of the stage, below a Completed flow run."""
    records = task_runs(seed.run.api, seed.run.flow_run_id, len(STAGES))

    assert {name: record.state for name, record in records.items()} == dict.fromkeys(STAGES, "Completed")
    assert flow_run(seed.run.api, seed.run.flow_run_id).state == "Completed"


def test_the_run_graph_has_the_edges_of_the_seed(seed: Seen) -> None:
    """The graph in Prefect's UI shows the edges that the seed writes down, and no others."""
    task_runs(seed.run.api, seed.run.flow_run_id, len(STAGES))

    nodes = [node for _, node in ask(seed.run.api, f"flow_runs/{seed.run.flow_run_id}/graph-v2")["nodes"]]
    labels = {node["id"]: node["label"] for node in nodes}

    assert {(labels[parent["id"]], node["label"]) for node in nodes for parent in node["parents"]} == EDGES


def test_no_credential_is_in_what_the_engine_stores(seed: Seen) -> None:
    """No `docker inspect` of a container of the run shows a credential of the AWS folder or of the assumed role."""
    secrets = [FOLDER_KEY_ID, FOLDER_SECRET, *(seed.value(stage) for stage in CREDENTIAL_STAGES)]

    shown = [secret for secret in secrets if secret in seed.inspection.text]

    assert seed.inspection.stages >= STAGES
    assert all(len(secret) > 10 for secret in secrets)
    assert shown == []


def test_nothing_of_the_run_is_left_on_the_engine(seed: Seen) -> None:
    """After the run the engine has no container, volume or network of it."""
    client = engine_client()
    label: dict[str, str | list[str] | bool] = {"label": f"dockercise.run={seed.run.summary['run_id']}"}

    left = [
        *client.containers.list(all=True, filters=label),
        *client.volumes.list(filters=label),
        *client.networks.list(filters=label),
    ]
    client.close()

    assert left == []
