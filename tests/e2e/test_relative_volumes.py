"""A file that a stage copied unchanged is in a run's record once, and every stage's files come back whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.settings import read_settings
from tests.e2e.conftest import Dockercise
from tests.support.aws.separate_aws import separate_aws

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BUCKET = "results-of-mine"
SIZE = 3_000_000

CHANGE = """
cd "$OUT"
echo more >>changed
rm gone
rm file && mkdir file && echo inside >file/inside
rm -r folder && echo outside >folder
echo new >sub/new
ln kept again
"""
PIPELINE = f"""
one: {{img: busybox, on: code, run: 'ls $OUT'}}
two: {{img: busybox, on: code, run: 'ls $OUT'}}
build: {{img: busybox, on: two, run: 'echo built > $OUT/built'}}
change:
  img: busybox
  on: build
  run: |
{indent(CHANGE, "    ")}
"""


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The place of the results."""
    if request.param == "folder":
        yield str(tmp_path / "results")
        return
    with separate_aws(tmp_path / "aws.log") as (url, client):
        client.create_bucket(Bucket=BUCKET)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("DOCKERCISE_S3_ENDPOINT", url)
        yield f"s3://{BUCKET}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pipeline, and files that are large in comparison."""
    root = tmp_path / "code"
    for folder in ("sub", "folder"):
        (root / folder).mkdir(parents=True)
    for name in ("changed", "gone", "file", "kept", "sub/large", "folder/inside"):
        (root / name).write_bytes(os.urandom(SIZE) if name == "sub/large" else name.encode())
    (root / "link").symlink_to("sub/large")
    (root / "p.dockercise.yaml").write_text(PIPELINE)
    return root


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)): content(path) for path in folder.rglob("*")}


def content(path: Path) -> bytes | str | None:
    """The content of a file, the target of a link, or None for a folder."""
    if path.is_symlink():
        return str(path.readlink())
    return path.read_bytes() if path.is_file() else None


def test_what_nobody_changed_is_stored_once(
    dockercise_run: Dockercise, environment: dict[str, str], place: str, root: Path, tmp_path: Path
) -> None:
    """Of four stages only one has a large archive; `fetch` brings exactly the files that each stage left."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "DOCKERCISE_"))}
    said = dockercise_run("-C", root, "--results", place, **variables)
    assert said.exit_status == 0, said.stderr

    objects = open_objects(place, read_settings())
    run = RecordedRun(objects, said.summary["pipeline"], said.summary["run_id"])
    sizes = {name: sum(map(len, objects.chunks(f"{run.path}/{name}.tar.zst"))) for name in said.stages}
    fetched = {}
    for name in said.stages:
        command = [
            sys.executable,
            "-m",
            "dockercise_prefect",
            "fetch",
            run.run_id,
            name,
            str(tmp_path / name),
            "--results",
            place,
        ]
        subprocess.run(command, check=True, env=environment | variables)
        fetched[name] = contents(tmp_path / name)

    code = contents(root)
    first, other = sorted(("one", "two"), key=lambda name: run.volume_base(name) is not None)
    assert [run.volume_base(name) for name in (first, other, "build", "change")] == [None, first, "two", "build"]
    assert sizes[first] > SIZE
    assert max(size for name, size in sizes.items() if name != first) < 3000
    assert fetched["one"] == fetched["two"] == code
    assert fetched["build"] == code | {"built": b"built\n"}
    gone = {"gone", "folder/inside"}
    added = {"file": None, "file/inside": b"inside\n", "folder": b"outside\n", "sub/new": b"new\n", "again": b"kept"}
    kept = {path: content for path, content in fetched["build"].items() if path not in gone}
    assert fetched["change"] == kept | added | {"changed": b"changedmore\n"}
    assert (tmp_path / "change/again").samefile(tmp_path / "change/kept")
    assert b"files that build also has are only in the archive of build" in b"".join(objects.chunks(f"{run.path}/report.html"))
