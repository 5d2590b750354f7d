"""The record of the seed's own pipeline in the user's bucket and log group: complete, private, and without secrets."""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from scripts.screenshot import open_artifact, open_run
from scripts.screenshot import task_runs as listed_task_runs
from tests.support.aws.aws_image import seed_images
from tests.support.aws.moto import FOLDER_SECRET, running_aws
from tests.support.inspection import InspectionRecorder
from tests.support.prefect.prefect_records import ask, eventually, task_runs
from tests.support.seed import ACCOUNT, CREDENTIAL_STAGES, STAGES, SeedRun, run_seed
from tests.support.suite.leaks import database, found, unpacked

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BUCKET = "results-of-mine"
PREFIX = "ci/runs"
LOG_GROUP = "dockercise/infra"


@dataclass(frozen=True)
class Kept:
    """A run of the seed, and what it left in the bucket, in the log group and on the engine while it ran."""

    run: SeedRun
    stack_status: str | None
    objects: dict[str, bytes]
    acls: dict[str, Any]
    streams: dict[str, list[str]]
    inspected: str
    issued: tuple[str, ...]
    zipped: bytes

    @property
    def folder(self) -> str:
        """The record's key, without the slash at its end."""
        return f"{PREFIX}/infra/{self.run.summary['run_id']}"

    def names(self) -> set[str]:
        """The files of the record."""
        return {key.removeprefix(f"{self.folder}/") for key in self.objects if key.startswith(f"{self.folder}/")}


def run_and_look(folder: Path, data: Path, *, silent: bool) -> Kept:
    with seed_images(), running_aws() as aws, InspectionRecorder() as inspection:
        place = f"{aws.bucket(BUCKET)}/{PREFIX}"
        run = run_seed(folder, data, aws, "--results", place, "--log-group", LOG_GROUP, silent=silent)
        objects = aws.objects(BUCKET)
        return Kept(
            run=run,
            stack_status=aws.stack_status(ACCOUNT, "infra"),
            objects=objects,
            acls={key: aws.client("s3").get_object_acl(Bucket=BUCKET, Key=key) for key in objects},
            streams=aws.log_streams(LOG_GROUP),
            inspected=inspection.text,
            issued=aws.issued_secrets(ACCOUNT),
            zipped=next((content for key, content in objects.items() if key.endswith("/out.zip")), b""),
        )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Kept:
    """The unchanged seed, run once."""
    return run_and_look(tmp_path_factory.mktemp("seed-s3"), data_folder, silent=False)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Kept:
    """The copy whose four credential stages have `noLog: true`, run once."""
    return run_and_look(tmp_path_factory.mktemp("seed-silent"), data_folder, silent=True)


def test_every_object_of_the_layout_is_there(kept: Kept) -> None:
    """The bucket holds index, summary, page, bundle, each stage's JSON, log and output, and the one volume that has files."""
    of_stages = {f"{stage}{ending}" for stage in STAGES for ending in (".json", ".log", ".out")}

    assert kept.run.exit_status == 0, kept.run.progress
    assert kept.run.summary["results"] == f"s3://{BUCKET}/{kept.folder}"
    assert kept.names() == of_stages | {"index.json", "summary.json", "report.html", "out.zip", "get-code.tar.zst"}
    assert f"{PREFIX}/infra/index.html" in kept.objects
    assert json.loads(kept.objects[f"{kept.folder}/summary.json"]) == kept.run.summary
    assert set(json.loads(kept.objects[f"{kept.folder}/index.json"])["stages"]) == STAGES


def test_every_object_is_private(kept: Kept) -> None:
    """Only the bucket's owner has access."""
    for key, acl in kept.acls.items():
        assert [grant["Grantee"]["ID"] for grant in acl["Grants"]] == [acl["Owner"]["ID"]], key


def test_the_bundle_gives_a_stages_output_to_jq(kept: Kept, tmp_path: Path) -> None:
    """`unzip -p out.zip assume-role | jq` works: the entry has exactly the bytes that the stage printed."""
    (tmp_path / "out.zip").write_bytes(kept.zipped)

    told = subprocess.run(
        ["bash", "-c", "set -o pipefail; unzip -p out.zip assume-role | jq -r .Credentials.AccessKeyId"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    value = json.loads(kept.objects[f"{kept.folder}/aws_access_key_id.json"])["value"]
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == value


def test_each_stage_has_a_log_stream(kept: Kept) -> None:
    """The log group has a stream for each stage that printed something, named after the run and the stage, line by line."""
    printed = {stage for stage in STAGES if kept.objects[f"{kept.folder}/{stage}.log"]}

    assert {name.rpartition("/")[2] for name in kept.streams} >= printed
    for stage in printed:
        lines = kept.streams[f"infra/{kept.run.summary['run_id']}/{stage}"]
        log = kept.objects[f"{kept.folder}/{stage}.log"].decode()
        assert "\n".join(line.rstrip() for line in lines).split() == log.split()


def test_the_stack_is_created_all_the_same(silent: Kept) -> None:
    """Silent stages still pass their values on: the stack exists, and all seven stages pass."""
    assert silent.run.statuses == dict.fromkeys(STAGES, "passed"), silent.run.progress
    assert silent.stack_status == "CREATE_COMPLETE"


def test_no_credential_is_in_any_channel(silent: Kept, data_folder: Path) -> None:
    """No credential, in any form, is in the bucket, the log group, Prefect's database, the engine's data or the terminal."""
    task_runs(silent.run.api, silent.run.flow_run_id, len(STAGES))
    channels = {
        **{f"object {key}": content for key, content in unpacked(silent.objects).items()},
        **{f"log stream {name}": "\n".join(lines).encode() for name, lines in silent.streams.items()},
        "the engine": silent.inspected.encode(),
        "the terminal": silent.run.progress.encode(),
        "the summary": json.dumps(silent.run.summary).encode(),
        "Prefect": database(data_folder),
    }

    assert len(silent.issued) >= 3
    secrets = {"folder": FOLDER_SECRET, **{f"issued {number}": secret for number, secret in enumerate(silent.issued)}}

    assert found(channels, secrets) == []


def test_the_bundle_leaves_silent_stages_out(silent: Kept) -> None:
    """`out.zip` has the output of the other stages, but not of the four silent ones."""
    with zipfile.ZipFile(io.BytesIO(silent.zipped)) as bundle:
        names = set(bundle.namelist())

    assert names <= STAGES - {"assume-role", *CREDENTIAL_STAGES}
    assert "get-code" in names


def artifacts(run: SeedRun, count: int) -> dict[str, str]:
    """The addresses of the pages of a run's artifacts, by their keys."""
    body = {"artifacts": {"flow_run_id": {"any_": [run.flow_run_id]}}, "limit": 200}
    found = eventually(lambda: ask(run.api, "artifacts/filter", body), lambda answer: len(answer) >= count)
    ui = run.api.removesuffix("/api")
    return {artifact["key"]: f"{ui}/artifacts/artifact/{artifact['id']}" for artifact in found}


@pytest.mark.browser
def test_prefects_page_of_the_run_shows_seven_stages(kept: Kept, page: Page) -> None:
    """The flow run's page draws the graph and lists a task run for each of the seven stages."""
    open_run(page, kept.run.summary["flow_run_url"])

    assert set(listed_task_runs(page)) == STAGES


@pytest.mark.browser
def test_a_stages_artifact_shows_how_it_ended(kept: Kept, page: Page) -> None:
    """The stage's page in Prefect has its state, its exit code, the end of its log, and working links into the bucket."""
    open_artifact(page, artifacts(kept.run, len(STAGES) + 1)["infra-stage-create-stack"])

    text = page.locator("body").inner_text()
    assert "passed" in text
    assert re.search(r"exit code\s+0", text)
    assert "StackId" in text
    link = page.get_by_role("link", name="create-stack.log").get_attribute("href") or ""
    assert "X-Amz-Signature" in link


@pytest.mark.browser
def test_the_runs_artifact_lists_all_stages(kept: Kept, page: Page) -> None:
    """The run's page in Prefect has a row for each stage, the critical path, and links to the bundle and the report."""
    open_artifact(page, artifacts(kept.run, len(STAGES) + 1)["infra-run"])

    text = page.locator("body").inner_text()
    assert all(stage in text for stage in STAGES)
    assert "Critical path" in text
    for name in ("report.html", "out.zip"):
        assert page.get_by_role("link", name=name).count() == 1


@pytest.mark.browser
def test_the_report_opens_from_disk(kept: Kept, page: Page, tmp_path: Path) -> None:
    """The page from the bucket opens as a file, and a click shows a stage's log."""
    (tmp_path / "report.html").write_bytes(kept.objects[f"{kept.folder}/report.html"])

    page.goto((tmp_path / "report.html").as_uri())
    page.locator("summary", has_text="create-stack").first.click()

    expect(page.locator('pre[aria-label="Log of create-stack"]')).to_contain_text("StackId")
    expect(page.locator("svg a")).to_have_count(len(STAGES))
