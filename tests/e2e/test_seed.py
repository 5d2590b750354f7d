"""The seed's own pipeline, its files byte for byte, from YAML to a stack in AWS, on a real engine and a real Prefect server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.environment import ROOT
from tests.support.aws_image import seed_images
from tests.support.engine_client import engine_client
from tests.support.inspection import InspectionRecorder
from tests.support.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws, running_aws
from tests.support.prefect_records import ask, flow_run, task_runs

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

ACCOUNT = "327070154264"  # of the role that the seed assumes
CREDENTIAL_STAGES = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
STAGES = {"assume-role", *CREDENTIAL_STAGES, "get-code", "create-stack", "wait-for-success"}
EDGES = {
    *(("assume-role", stage) for stage in CREDENTIAL_STAGES),
    *((stage, "create-stack") for stage in (*CREDENTIAL_STAGES, "get-code")),
    *((stage, "wait-for-success") for stage in (*CREDENTIAL_STAGES, "create-stack")),
}


@dataclass(frozen=True)
class SeedRun:
    """What is left to look at after the run: its exit status, what it printed, what others recorded of it."""

    exit_status: int
    summary: dict[str, Any]
    progress: str
    results: Path
    stack_status: str | None
    inspection: InspectionRecorder

    @property
    def flow_run_id(self) -> str:
        """Prefect's id of the run."""
        return str(self.summary["flow_run_id"])

    @property
    def api(self) -> str:
        """The API of the server that the run reported to, from the address of the run's page."""
        return str(self.summary["flow_run_url"]).partition("/runs/flow-run/")[0] + "/api"

    def value(self, stage: str) -> str:
        """A stage's value, from the run's results."""
        entry = json.loads((self.results / f"{stage}.json").read_text(encoding="utf-8"))
        return str(entry["value"])


@pytest.fixture(scope="module")
def seed_run(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Iterator[SeedRun]:
    """The seed's pipeline, run once with a test's AWS folder against an AWS on loopback."""
    folder = tmp_path_factory.mktemp("seed")
    root = folder / "infra"
    root.mkdir()
    for file in sorted((ROOT / "flows/infra").glob("*.dockercise.yaml")):
        shutil.copyfile(file, root / file.name)
    (root / "network.dockercise.yaml").write_text("meta: {network: host}\n", encoding="ascii")
    with seed_images(), running_aws() as aws, InspectionRecorder() as inspection:
        aws.write_folder(folder / "home/.aws")
        done = subprocess.run(
            [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(root), "--aws", "--json"],
            cwd=folder,
            env=_environment(folder / "home", data_folder, folder / "results"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.stdout, done.stderr
        yield _look(done, aws, inspection)


def _environment(home: Path, data: Path, results: Path) -> dict[str, str]:
    """A user with nothing but the test's AWS folder: a developer's own credentials and Prefect settings stay out."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "PREFECT_", "DOCKERCISE_"))}
    return own | {
        "HOME": str(home),
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
        "PYTHONPATH": str(ROOT),
        "DOCKERCISE_DATA": str(data),
        "DOCKERCISE_RESULTS": str(results),
        "AWS_DEFAULT_REGION": REGION,
    }


def _look(done: subprocess.CompletedProcess[str], aws: Aws, inspection: InspectionRecorder) -> SeedRun:
    summary = json.loads(done.stdout)
    return SeedRun(
        exit_status=done.returncode,
        summary=summary,
        progress=done.stderr,
        results=Path(summary["results"].removeprefix("file://")),
        stack_status=aws.stack_status(ACCOUNT, "infra"),
        inspection=inspection,
    )


def test_every_stage_of_the_seed_passes(seed_run: SeedRun) -> None:
    """The seed's seven stages pass, and so does the run."""
    statuses = {name: stage["status"] for name, stage in seed_run.summary["stages"].items()}

    assert statuses == dict.fromkeys(STAGES, "passed"), seed_run.progress
    assert seed_run.summary["status"] == "passed"
    assert seed_run.exit_status == 0


def test_the_stack_is_created(seed_run: SeedRun) -> None:
    """The stack that the seed's pipeline asks AWS for stands in the account whose role it assumed."""
    assert seed_run.stack_status == "CREATE_COMPLETE"


def test_prefect_has_seven_completed_task_runs(seed_run: SeedRun) -> None:
    """Prefect shows one Completed task run for each stage, named as the stage, below a Completed flow run."""
    records = task_runs(seed_run.api, seed_run.flow_run_id, len(STAGES))

    assert {name: record.state for name, record in records.items()} == dict.fromkeys(STAGES, "Completed")
    assert flow_run(seed_run.api, seed_run.flow_run_id).state == "Completed"


def test_the_run_graph_has_the_edges_of_the_seed(seed_run: SeedRun) -> None:
    """The graph that Prefect's UI draws shows the edges that the seed writes down, and no others."""
    task_runs(seed_run.api, seed_run.flow_run_id, len(STAGES))

    nodes = [node for _, node in ask(seed_run.api, f"flow_runs/{seed_run.flow_run_id}/graph-v2")["nodes"]]
    labels = {node["id"]: node["label"] for node in nodes}

    assert {(labels[parent["id"]], node["label"]) for node in nodes for parent in node["parents"]} == EDGES


def test_no_credential_is_in_what_the_engine_stores(seed_run: SeedRun) -> None:
    """No `docker inspect` of any container of the run shows a credential of the AWS folder or of the assumed role."""
    secrets = [FOLDER_KEY_ID, FOLDER_SECRET, *(seed_run.value(stage) for stage in CREDENTIAL_STAGES)]

    shown = [secret for secret in secrets if secret in seed_run.inspection.text]

    assert seed_run.inspection.stages >= STAGES
    assert all(len(secret) > 10 for secret in secrets)
    assert shown == []


def test_nothing_of_the_run_is_left_on_the_engine(seed_run: SeedRun) -> None:
    """After the run the engine holds no container, volume or network of it."""
    client = engine_client()
    label: dict[str, str | list[str] | bool] = {"label": f"dockercise.run={seed_run.summary['run_id']}"}

    left = [
        *client.containers.list(all=True, filters=label),
        *client.volumes.list(filters=label),
        *client.networks.list(filters=label),
    ]
    client.close()

    assert left == []
