"""Runs the seed's own pipeline as a user would run it, with an AWS on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.environment import ROOT
from tests.support.aws.moto import REGION, Aws

ACCOUNT = "327070154264"
"""The account of the role that the seed assumes."""

CREDENTIAL_STAGES = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
STAGES = {"assume-role", *CREDENTIAL_STAGES, "get-code", "create-stack", "wait-for-success"}
EDGES = {
    *(("assume-role", stage) for stage in CREDENTIAL_STAGES),
    *((stage, "create-stack") for stage in (*CREDENTIAL_STAGES, "get-code")),
    *((stage, "wait-for-success") for stage in (*CREDENTIAL_STAGES, "create-stack")),
}


@dataclass(frozen=True)
class SeedRun:
    """The result of the run: its exit status and its output."""

    exit_status: int
    summary: dict[str, Any]
    progress: str

    @property
    def flow_run_id(self) -> str:
        """Prefect's id of the run."""
        return str(self.summary["flow_run_id"])

    @property
    def api(self) -> str:
        """The API of the server that the run reported to, derived from the address of the run's page."""
        return str(self.summary["flow_run_url"]).partition("/runs/flow-run/")[0] + "/api"

    @property
    def statuses(self) -> dict[str, str]:
        """How each stage ended."""
        return {name: str(stage["status"]) for name, stage in self.summary["stages"].items()}


def run_seed(folder: Path, data: Path, aws: Aws, *options: str, silent: bool = False) -> SeedRun:
    """Run the seed's unchanged files with a test's AWS folder. The images must exist.

    Args:
        folder: the test's own folder, for the root, the home and the results.
        data: the user's data folder, with the local server.
        aws: the server in the AWS folder.
        options: options of `run`, in addition to `--aws` and `--json`.
        silent: whether the four stages that handle credentials have `noLog: true` in this copy.
    """
    root = folder / "infra"
    root.mkdir()
    for file in sorted((ROOT / "flows/infra").glob("*.dockercise.yaml")):
        shutil.copyfile(file, root / file.name)
    (root / "network.dockercise.yaml").write_text("meta: {network: host}\n", encoding="ascii")
    if silent:
        file = root / "aws-credentials.dockercise.yaml"
        text = file.read_text(encoding="utf-8")
        for stage in ("assume-role", *CREDENTIAL_STAGES):
            text = text.replace(f"{stage}:\n", f"{stage}:\n  noLog: true\n")
        file.write_text(text, encoding="utf-8")
    aws.write_folder(folder / "home/.aws")
    done = subprocess.run(
        [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(root), "--aws", "--json", *options],
        cwd=folder,
        env=user_environment(folder / "home", data, folder / "results"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    return SeedRun(done.returncode, json.loads(done.stdout), done.stderr)


def user_environment(home: Path, data: Path, results: Path) -> dict[str, str]:
    """The environment of a user with only the test's AWS folder, without the developer's credentials and Prefect settings."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "PREFECT_", "DOCKERCISE_"))}
    return own | {
        "HOME": str(home),
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
        "PYTHONPATH": str(ROOT),
        "DOCKERCISE_DATA": str(data),
        "DOCKERCISE_RESULTS": str(results),
        "AWS_DEFAULT_REGION": REGION,
    }
