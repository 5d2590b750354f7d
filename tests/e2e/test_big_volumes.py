"""A big volume is stored and fetched with little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws.separate_aws import separate_aws

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

MEGABYTES_AT_MOST = 300
BUCKET = "results-of-mine"

PROGRAM = """
import atexit, re, sys
from pathlib import Path

def tell():
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    print(f"peak of this process: {peak[1]} kB", file=sys.stderr)

atexit.register(tell)
from dockercise_prefect.cli import main
main()
"""
"""The command, which prints its peak of memory at the end; the memory of its parent is not counted."""


@pytest.fixture(params=[200, pytest.param(2048, marks=pytest.mark.acceptance)])
def megabytes(request: pytest.FixtureRequest) -> int:
    """The size of the volume."""
    return int(request.param)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The place of the results, and the variables that are needed to reach it."""
    if request.param == "folder":
        yield str(tmp_path / "results"), {}
        return
    with separate_aws(tmp_path / "aws.log") as (url, client):
        client.create_bucket(Bucket=BUCKET)
        environment = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
        yield f"s3://{BUCKET}", environment | {"AWS_DEFAULT_REGION": "us-east-1", "DOCKERCISE_S3_ENDPOINT": url}


def test_a_big_volume_is_kept_in_little_memory(
    environment: dict[str, str], busybox: str, tmp_path: Path, megabytes: int, place: tuple[str, dict[str, str]]
) -> None:
    """A volume of random bytes is stored, and unpacked byte for byte, by processes that stay below 300 MB."""
    where, variables = place
    root = tmp_path / "big"
    root.mkdir()
    (root / "big.dockercise.yaml").write_text(
        f"big: {{ img: {busybox}, run: 'head -c {megabytes}m /dev/urandom > $OUT/blob; sha256sum < $OUT/blob' }}\n"
    )

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | environment | variables,
            timeout=800,
        )

    ran = command("run", "--json", "-C", str(root), "--results", where)
    assert ran.returncode == 0, ran.stderr
    run_id = json.loads(ran.stdout)["run_id"]
    shown = command("fetch", run_id, "big", str(tmp_path / "back"), "--results", where)
    assert shown.returncode == 0, shown.stderr

    summed = subprocess.run(["sha256sum", tmp_path / "back/blob"], check=True, capture_output=True, text=True)
    printed = command("logs", run_id, "big", "--results", where).stdout
    assert summed.stdout.split()[0] == printed.split()[0]
    assert peak_megabytes(ran.stderr) < MEGABYTES_AT_MOST
    assert peak_megabytes(shown.stderr) < MEGABYTES_AT_MOST


def peak_megabytes(said: str) -> float:
    found = re.search(r"peak of this process: (\d+) kB", said)
    assert found, said
    return int(found[1]) / 1024
