"""Commands that read records in a bucket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.archives.tarball import File, Folder
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.settings import read_settings
from dockercise_prefect.status import StageStatus
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws, running_aws
from tests.support.command import Command
from tests.support.recorded_runs import FIRST, Recorded, failed_run, ran, run_id

pytestmark = pytest.mark.docker  # for the server

PLACE = "s3://results-of-mine/ci/runs"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    """An AWS with a bucket, and the user's credentials for it in the environment."""
    with running_aws() as server:
        server.bucket("results-of-mine")
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
            "AWS_REGION": REGION,
            "DOCKERCISE_DATA": str(tmp_path / "data"),
        }.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def bucket(aws: Aws) -> Objects:
    """The place of all results."""
    return open_objects(PLACE, read_settings())


def send(run: Recorded, bucket: Objects) -> None:
    """Send a record in its present state."""
    for file in run.folder.iterdir():
        with file.open("rb") as content:
            bucket.put(f"shop/{run.run_id}/{file.name}", content)


@pytest.fixture
def run(bucket: Objects, tmp_path: Path) -> Recorded:
    """A run whose record is in the bucket."""
    run = failed_run(tmp_path / "sent")
    letter = File(path="greet/letter", size=5, content=lambda: [b"hello"])
    run.stage("greet", ran(StageStatus.PASSED, 0.1, 0.4), b"hello\n", volume=[Folder(path="greet"), letter])
    run.store.keep_report("<p>")
    send(run, bucket)
    return run


def test_a_bucket_is_read_as_a_folder_is(command: Command, run: Recorded, tmp_path: Path) -> None:
    """Every command shows the same for a record in a bucket as for the same record in a folder, except its place."""
    for arguments in (["runs"], ["show", "last"], ["logs", "last"], ["logs", run_id()[:9], "-f"]):
        there, here = command(*arguments, "--results", PLACE), command(*arguments, "--results", str(tmp_path / "sent"))
        assert there.status == here.status == 0
        assert [line for line in there.out.splitlines() if "report.html" not in line] == [
            line for line in here.out.replace(str(tmp_path / "sent"), PLACE).splitlines() if "report.html" not in line
        ]
    assert command("fetch", "last", "greet", "out", "--results", PLACE).status == 0
    assert (tmp_path / "out/letter").read_text() == "hello"


def test_links_can_be_opened(command: Command, run: Recorded) -> None:
    """A browser without credentials can open the link to a report in a bucket."""
    shown = json.loads(command("show", "last", "--results", PLACE, "--json").out)

    assert (shown["results"], shown["problems"]) == (f"{PLACE}/shop/{run.run_id}", [])
    assert httpx.get(shown["links"]["report"]).text == "<p>"


def test_a_run_that_is_not_there(command: Command, run: Recorded) -> None:
    """The message for a record that is not in the bucket mentions that it may not have been sent yet."""
    outcome = command("show", "1999", "--results", PLACE)

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err.endswith("lists all runs; `dockercise results push` sends what the bucket did not accept\n")


@pytest.mark.parametrize("arguments", [["runs"], ["show", "last"], ["logs", "last"], ["fetch", "last", "greet", "out"]])
def test_a_bucket_that_there_is_not(command: Command, aws: Aws, arguments: list[str]) -> None:
    """A bucket that cannot be read is exit status 3 with its name, and no traceback."""
    outcome = command(*arguments, "--results", "s3://nobody-has-this")

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert "s3://nobody-has-this" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_log_is_followed_in_a_bucket(bucket: Objects, tmp_path: Path) -> None:
    """A log that is sent again while it grows is printed once and completely."""
    record = Recorded(tmp_path / "sent")
    record.store.stage_started("greet", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))
    log = record.store.log("greet")
    log.write(b"one\n")
    send(record, bucket)
    command = [sys.executable, "-m", "dockercise_prefect", "logs", "last", "greet", "-f", "--results", PLACE]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"one\n"
        log.write(b"two\n")
        send(record, bucket)
        assert following.stdout.readline() == b"two\n"
        log.write(b"end")
        record.stage("greet", ran(StageStatus.PASSED, 0, 1))
        for name in ("greet.log", "greet.json"):
            with (record.folder / name).open("rb") as content:
                bucket.put(f"shop/{record.run_id}/{name}", content)
        assert following.stdout.read() == b"end"
    assert following.returncode == 0


def test_a_folder_and_a_bucket_hold_the_same_names(run: Recorded, bucket: Objects, tmp_path: Path) -> None:
    """Pipelines and runs have the same names in a folder and in a bucket."""
    folder = FolderObjects(tmp_path / "sent")

    assert [bucket.folders(""), bucket.folders("shop")] == [folder.folders(""), folder.folders("shop")]
