"""If the bucket of a run fails, no stage fails because of it, nothing is lost, and the record is completed later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Dockercise, Said
from tests.support.aws.moto import Aws, running_aws
from tests.support.fault_proxy import PATIENCE, FaultProxy, fault_proxy

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

PIPELINE = """\
make: { img: busybox:latest, run: "echo made; head -c 100000 /dev/urandom > $OUT/blob; echo x > $OUT/x" }
use: { img: busybox:latest, run: "wc -c < /make/blob; echo $MAKE" }
fails: { img: busybox:latest, neverFail: true, run: "echo no >&2; exit 3" }
"""
BUCKET = "results-of-mine"
FILES = {
    *(f"{stage}{ending}" for stage in ("make", "use", "fails") for ending in (".json", ".log", ".out")),
    *("index.json", "summary.json", "report.html", "out.zip", "make.tar.zst"),
}


@dataclass
class Place:
    """A bucket behind a proxy, and a user who keeps records there."""

    aws: Aws
    proxy: FaultProxy
    data: Path
    root: Path
    dockercise_run: Dockercise
    environment: dict[str, str]

    def run(self, *options: str) -> Said:
        """Run the pipeline with its record in the bucket."""
        return self.dockercise_run("-C", self.root, "--results", f"s3://{BUCKET}/ci", *options, **self.environment)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call any other command as the same user."""
        environment = os.environ | {"DOCKERCISE_DATA": str(self.data)} | self.environment
        command = [sys.executable, "-m", "dockercise_prefect", *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=120)

    def record(self, run: dict[str, Any]) -> dict[str, bytes]:
        """The objects of a run in the bucket."""
        prefix = f"ci/shop/{run['run_id']}/"
        return {key.removeprefix(prefix): body for key, body in self.aws.objects(BUCKET).items() if key.startswith(prefix)}

    def unsent(self, run: dict[str, Any]) -> Path:
        """The folder of a record that waits to be sent."""
        run_id = str(run["run_id"])
        return self.data / "unsent" / run_id / "shop" / run_id


@pytest.fixture
def place(dockercise_run: Dockercise, tmp_path: Path) -> Iterator[Place]:
    """An empty bucket that works."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(PIPELINE)
    with running_aws() as aws, fault_proxy(aws.url) as proxy:
        aws.bucket(BUCKET)
        environment = {
            **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing"),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "DOCKERCISE_S3_ENDPOINT": proxy.url,
        }
        yield Place(aws, proxy, tmp_path / "data", root, dockercise_run, environment)


def assert_all_passed(said: Said) -> None:
    assert {name: stage["status"] for name, stage in said.stages.items()} == {
        "make": "passed",
        "use": "passed",
        "fails": "tolerated",
    }


def test_a_bucket_that_works_has_all_of_the_record_and_nothing_waits(place: Place) -> None:
    """The record is in the bucket, with the same bytes as in a folder, and not on this machine."""
    said = place.run()

    assert said.exit_status == 0, said.stderr
    assert place.record(said.summary).keys() == FILES
    assert json.loads(place.record(said.summary)["summary.json"]) == said.summary
    assert list((place.data / "unsent").iterdir()) == []


@pytest.mark.parametrize(
    ("fail", "said_of_it"),
    [
        (lambda proxy: proxy.after(4, "refused"), "no answer from http://127.0.0.1"),
        (lambda proxy: proxy.after(4, "500"), ": 500"),
        (lambda proxy: proxy.after(0, "refused"), "no answer from http://127.0.0.1"),
    ],
    ids=["refuses half-way", "fails half-way", "was never there"],
)
def test_a_bucket_that_fails_costs_nothing(place: Place, fail: Callable[[FaultProxy], None], said_of_it: str) -> None:
    """All stages pass, and the run ends with 3 and shows where the record is and which command completes it."""
    fail(place.proxy)

    said = place.run()

    run = said.summary
    assert_all_passed(said)
    assert said.exit_status == 3
    assert run["status"] == "error"
    assert "results could not be sent: cannot write s3://" in run["error"]
    assert said_of_it in run["error"]
    assert f"`dockercise results push {run['run_id']}` sends them" in said.stderr
    kept = {path.name: path.read_bytes() for path in place.unsent(run).iterdir()}
    assert kept.keys() == FILES
    assert json.loads(kept["summary.json"]) == run

    still = place.command("results", "push")
    assert still.returncode == 3
    assert {path.name for path in place.unsent(run).iterdir()} == FILES

    place.proxy.heal()
    pushed = place.command("results", "push", run["run_id"][:10])

    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout == f"{run['run_id']}: sent to s3://{BUCKET}/ci/shop/{run['run_id']}\n"
    assert place.record(run) == kept
    assert run["run_id"].encode() in place.aws.objects(BUCKET)["ci/shop/index.html"]
    assert list((place.data / "unsent").iterdir()) == []
    assert place.command("results", "push").returncode == 4


def test_a_slow_bucket_holds_no_stage_up(place: Place, tmp_path: Path) -> None:
    """While requests hang, stages run to their end; if the bucket answers again in time, the run passes."""
    ended = tmp_path / "ended"
    ended.mkdir()
    (place.root / "tell.dockercise.yaml").write_text(
        f"tell: {{ img: busybox:latest, after: [use, fails], run: echo > /ended/now, vol: '{ended}:/ended' }}\n"
    )

    def heal_in_the_end() -> None:
        while not list(ended.iterdir()):
            time.sleep(0.1)
        place.proxy.heal()

    place.proxy.after(2, "slow")
    with ThreadPoolExecutor() as pool:
        pool.submit(heal_in_the_end)
        said = place.run()

    assert said.exit_status == 0, said.stderr
    assert place.record(said.summary).keys() == FILES | {"tell.json", "tell.log", "tell.out"}


def test_waiting_for_a_bucket_that_hangs_ends_when_it_is_interrupted(place: Place, environment: dict[str, str]) -> None:
    """Ctrl-C at the end leaves the whole record on this machine, and the run ends immediately."""
    place.proxy.after(2, "slow")
    command = [
        sys.executable,
        "-m",
        "dockercise_prefect",
        "run",
        "--json",
        "-C",
        str(place.root),
        "--results",
        f"s3://{BUCKET}/ci",
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, env=environment | place.environment, stdout=pipe, stderr=pipe) as process:
        assert process.stderr is not None
        while line := process.stderr.readline():
            if "waiting until all results are at" in line:
                break
        process.send_signal(signal.SIGINT)
        said, why = process.communicate(timeout=PATIENCE / 2)

    run = json.loads(said)
    assert process.returncode == 3
    assert "was interrupted" in run["error"]
    assert f"`dockercise results push {run['run_id']}` sends them" in why
    kept = place.unsent(run)
    assert {path.name for path in kept.iterdir()} == FILES
    assert json.loads((kept / "summary.json").read_text()) == run


def test_a_bucket_that_refuses_ends_the_run_before_it_begins(place: Place) -> None:
    """Without the bucket, or without any right to it, nothing is started, nothing is left, and the reason is shown."""
    said = place.dockercise_run("-C", place.root, "--results", "s3://no-such-bucket", **place.environment)

    assert said.exit_status == 3
    assert {stage["status"] for stage in said.stages.values()} == {"not_started"}
    assert "NoSuchBucket" in said.summary["error"]
    assert "create the bucket, or choose another one" in said.stderr
    assert list((place.data / "unsent").iterdir()) == []
