"""The seed's own pipeline with `cache`, on the real engine against an AWS that its containers reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.environment import ROOT
from tests.e2e.conftest import Dockercise
from tests.support.aws.aws_image import seed_images
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, running_aws
from tests.support.bridge import bridge_address
from tests.support.engine_events import started_stages
from tests.support.seed import ACCOUNT, STAGES

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def cached_seed(root: Path, endpoint: str) -> None:
    """Copy the seed's pipeline with `cache` in each stage.

    Nothing is reused with `--aws`, so the credentials are variables, and so is the address of AWS.
    """
    given = f"AWS_ACCESS_KEY_ID: {FOLDER_KEY_ID}, AWS_SECRET_ACCESS_KEY: {FOLDER_SECRET}, AWS_DEFAULT_REGION: {REGION}"
    root.mkdir()
    for file in (ROOT / "flows/infra").glob("*.dockercise.yaml"):
        text = file.read_text(encoding="utf-8").replace("  img:", "  cache: true\n  img:")
        text = text.replace("assume-role:\n", f"assume-role:\n  env: {{{given}, AWS_ENDPOINT_URL: '{endpoint}'}}\n", 1)
        text = text.replace("    - AWS_DEFAULT_REGION", "    - AWS_DEFAULT_REGION\n    - AWS_ENDPOINT_URL")
        (root / file.name).write_text(text, encoding="utf-8")


def test_the_seed_starts_no_container_the_second_time(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """The second run of the seed's pipeline reuses every stage, although it has credentials; the engine starts nothing."""
    gateway = bridge_address()
    root = tmp_path / f"infra-{tmp_path.name.replace('_', '-')}"
    with seed_images(), running_aws(gateway) as aws, started_stages(root.name, tmp_path / "events") as started:
        cached_seed(root, aws.url)
        variables = {"AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": aws.url}
        first = dockercise_run("-C", root, **variables)
        after_first = started()
        second = dockercise_run("-C", root, **variables)
        after_second = started()
        status = aws.stack_status(ACCOUNT, "infra")

    assert {stage["status"] for stage in first.stages.values()} == {"passed"}, first.stderr
    assert set(first.stages) == STAGES == set(filter(None, after_first))
    assert status == "CREATE_COMPLETE"
    assert {stage["status"] for stage in second.stages.values()} == {"cached"}, second.stderr
    assert after_second == after_first
