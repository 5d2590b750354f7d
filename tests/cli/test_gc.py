"""`gc`: runs that died are ended, and what nobody needs any more is removed."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.paths import content_path
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.unsent import UNSENT, Destination, UnsentRun
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.docker.facts import EngineInspection
from dockercise_prefect.settings import read_settings
from tests.engines.scripted import BUSYBOX
from tests.results.cache.test_entries import ENTRY
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws, running_aws
from tests.support.command import Command
from tests.support.killing import flow_runs_of, left_on, victim
from tests.support.prefect.prefect_records import ask, eventually
from tests.support.recorded_runs import SHOP, Recorded, run_id

pytestmark = [pytest.mark.docker, pytest.mark.alone]

PIPELINE = f"""
endless:
  img: {BUSYBOX}
  run: echo running; while :; do sleep 0.1; done
later: {{img: {BUSYBOX}, after: endless, run: echo never}}
"""


@pytest.fixture(autouse=True)
def data(prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, and the session's server."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline that does not end by itself."""
    root = tmp_path / f"endless-{uuid.uuid4().hex}"
    root.mkdir()
    (root / "endless.dockercise.yaml").write_text(PIPELINE)
    return root


@pytest.fixture
def engine(folder: Path) -> Iterator[DockerEngine]:
    """The real engine. Afterwards, nothing of the test's pipeline is left there."""
    engine = DockerEngine.connect()
    yield engine
    remove_all(engine, left_on(engine, folder.name))
    engine.close()


def records_of(data: Path, *numbers: int) -> list[Recorded]:
    """Records of runs of the pipeline `shop` that have ended."""
    records = [Recorded(data / "results", number=number) for number in numbers]
    for recorded in records:
        recorded.end()
    return records


def test_a_killed_run_is_ended_everywhere(command: Command, folder: Path, engine: DockerEngine, prefect_api: str) -> None:
    """The engine is emptied, the flow run is Crashed, and `show` and `runs` say how the run ended. A dry run only says so."""
    with victim(folder, os.environ) as run:
        run.wait_for("│ running")
        (flow_run,) = flow_runs_of(prefect_api, folder.name)
        of_run = {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}
        eventually(partial(ask, prefect_api, "task_runs/filter", of_run), bool)  # Prefect records it a moment later
        run.kill()
    name = str(flow_run["name"])

    dry = command("gc", "--dry-run")
    states = [one["state_type"] for one in flow_runs_of(prefect_api, folder.name)]
    done = command("gc")
    again = command("gc", "--json")

    (ended,) = flow_runs_of(prefect_api, folder.name)
    assert (dry.status, done.status) == (ExitStatus.DONE, ExitStatus.DONE)
    assert f"would end the run {name} of {folder.name}: the run's process ended without a word" in dry.out
    assert f"would end the record {folder.name}/{name}" not in dry.out
    assert states == ["RUNNING"]
    assert f"ended the run {name} of {folder.name}" in done.out
    assert ended["state_type"] == "CRASHED"
    assert left_on(engine, folder.name) == []
    assert name not in again.out
    assert "the run's process ended while this stage ran" in command("show", name).out
    assert "error" in command("runs", "--pipeline", folder.name).out


def test_a_run_that_lives_is_left_alone(command: Command, folder: Path, engine: DockerEngine, prefect_api: str) -> None:
    """While a run lives, `gc` finds nothing of it."""
    with victim(folder, os.environ) as run:
        run.wait_for("│ running")

        said = command("gc", "--json")

        (flow_run,) = flow_runs_of(prefect_api, folder.name)
        assert str(flow_run["name"]) not in said.out
        assert flow_run["state_type"] == "RUNNING"
        assert left_on(engine, folder.name) != []


def test_without_a_setting_no_record_is_removed(command: Command, data: Path) -> None:
    """Records stay, however old and many they are, as long as no setting limits them."""
    records = records_of(data, 0, 1, 2)

    command("gc")

    assert all(recorded.folder.exists() for recorded in records)


def test_a_record_that_never_began_is_removed(command: Command, data: Path) -> None:
    """The empty folder of a run that was killed an hour ago, when it made the folder, is removed; a new one stays."""
    old, new = (data / "results/shop" / run_id(number) for number in range(2))
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))

    said = command("gc")

    assert f"removed the empty record {old}: its run never began" in said.out
    assert [path.name for path in (data / "results/shop").iterdir() if path.is_dir()] == [new.name]


def test_settings_bound_the_records(command: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `keep_runs`, older records are removed, and the list of runs no longer has them."""
    old, new = records_of(data, 0, 1)
    monkeypatch.setenv("DOCKERCISE_KEEP_RUNS", "1")

    said = command("gc", "--json")

    items = [item for item in json.loads(said.out)["items"] if item["kind"] == "record"]
    assert said.status == ExitStatus.DONE
    assert [(item["name"], item["why"], item["done"]) for item in items] == [
        (f"the record shop/{old.run_id}", "not among the newest 1 (keep_runs)", True)
    ]
    assert not old.folder.exists()
    assert new.run_id in (new.folder.parent / "index.html").read_text()


def test_caches_are_bounded_too(command: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `keep_cache_days`, clones and the output of packages that are older are removed, and newer ones stay."""
    for name in ("old", "new"):
        (data / f"repositories/{name}.git").mkdir(parents=True)
        (data / "packages").mkdir(exist_ok=True)
        (data / f"packages/{name}.yaml").write_text("a: {img: b}")
    for old in (data / "repositories/old.git", data / "packages/old.yaml"):
        os.utime(old, (0, 0))
    monkeypatch.setenv("DOCKERCISE_KEEP_CACHE_DAYS", "30")

    said = command("gc")

    assert "removed the clone old.git: not used since 1970-01-01 (keep_cache_days)" in said.out
    assert "removed what packages printed (1 file)" in said.out
    assert sorted(path.name for path in data.glob("*/*.git")) == ["new.git"]
    assert sorted(path.name for path in data.glob("packages/*")) == ["new.yaml"]


@pytest.mark.usefixtures("buildkit")
def test_the_build_cache_is_bounded(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `keep_build_cache`, what a build has left is removed down to that size; a dry run only says so."""
    (tmp_path / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN head -c 9000000 /dev/urandom >/big\n")
    built = ["docker", "build", "--quiet", str(tmp_path)]
    image = subprocess.run(
        built, check=True, capture_output=True, text=True, env=os.environ | {"DOCKER_BUILDKIT": "1"}, timeout=300
    ).stdout.strip()
    subprocess.run(["docker", "image", "rm", image], check=True, capture_output=True, timeout=60)
    monkeypatch.setenv("DOCKERCISE_KEEP_BUILD_CACHE", "8m")

    dry = command("gc", "--dry-run", "--json")
    inspection = EngineInspection.connect()
    with closing(inspection.engine):
        before = inspection.usage().build_cache
        said = command("gc")
        after = inspection.usage().build_cache

    (item,) = [item for item in json.loads(dry.out)["items"] if item["kind"] == "build cache"]
    assert item["why"].endswith("more than 8m (keep_build_cache)")
    assert before > 8 << 20 >= after
    assert "removed what was not used longest of the engine's build cache" in said.out


def left_in_cache(objects: Objects, days: int, text: bytes) -> str:
    """Store what a run that began so many days ago has left: one output. Return its path."""
    digest = digest_text(sha256(text).digest())
    run_id = f"{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%SZ}-aaaa"
    Contents(objects).keep_output(digest, [text])
    Entries(objects, "shop").add(run_id, [replace(ENTRY, output_digest=digest)])
    return content_path(digest)


def test_what_stages_have_left_is_bounded(command: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run of long ago has left goes, also without a setting, and so does what `cache_size` leaves no room for."""
    results = FolderObjects(data / "results")
    old, new = left_in_cache(results, 31, b"old"), left_in_cache(results, 29, b"new")
    os.utime(data / "results" / old, (0, 0))

    dry = command("gc", "--dry-run")
    before = results.sizes("")
    done = command("gc")
    after = results.sizes("")
    monkeypatch.setenv("DOCKERCISE_CACHE_SIZE", "1")
    bounded = command("gc", "--json")

    assert "would remove what the cache knows of 1 run (" in dry.out
    assert "): older than 30 days (cache_days)" in dry.out
    assert {old, new} <= before.keys()
    assert "removed what the cache knows of 1 run (" in done.out
    assert "removed 1 content of the cache (" in done.out
    assert "): no run in the cache refers to it any more" in done.out
    assert (old in after, new in after, len(after)) == (False, True, 2)
    assert [item for item in json.loads(bounded.out)["items"] if item["kind"] == "cache"] == [
        {
            "kind": "cache",
            "action": "remove",
            "name": "1 content of the cache",
            "why": "cheapest to make again, and the cache is larger than 1 (cache_size)",
            "bytes": after[new],
            "done": True,
            "problem": None,
        }
    ]
    assert len(results.sizes("")) == 1
    assert command("runs").out == ""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An AWS with a bucket, and the user's credentials for it in the environment."""
    with running_aws() as server:
        server.bucket("results-of-mine")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", FOLDER_KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", FOLDER_SECRET)
        monkeypatch.setenv("AWS_REGION", REGION)
        yield server


def made_old(data: Path) -> str:
    """Make the only unsent record one of a run of long ago, and return its new id."""
    (unsent,) = (data / UNSENT).iterdir()
    new = "20200101T000000Z-0000"
    (record,) = unsent.glob("shop/*")
    record.rename(record.with_name(new))
    unsent.rename(unsent.with_name(new))
    return new


def unsent_record(data: Path, number: int) -> Recorded:
    """A record that a bucket did not accept before its process died."""
    unsent = UnsentRun(data / UNSENT / run_id(number))
    unsent.begin(Destination("s3://results-of-mine/ci", "shop"))
    recorded = Recorded(unsent.folder, SHOP, number)
    unsent.leave()
    return recorded


def test_unsent_records_are_ended_and_sent(command: Command, data: Path, aws: Aws) -> None:
    """A record that did not reach its bucket gets its end, is sent, and is then bounded there like any other."""
    assert aws.url
    first, second = unsent_record(data, 0), unsent_record(data, 1)

    sent = command("gc")
    bounded = command("gc", "--results", "s3://results-of-mine/ci")

    listed = command("runs", "--results", "s3://results-of-mine/ci", "--json")
    assert f"sent the record shop/{first.run_id}" in sent.out
    assert f"sent the record shop/{second.run_id}" in sent.out
    assert list((data / UNSENT).iterdir()) == []
    assert "the record shop/" not in bounded.out
    assert [run["status"] for run in json.loads(listed.out)] == ["error", "error"]


def test_records_in_a_bucket_are_bounded(command: Command, data: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `keep_runs`, older records are removed from the bucket, and the list of runs there is written again."""
    assert aws.url
    first, second = unsent_record(data, 0), unsent_record(data, 1)
    command("gc")
    monkeypatch.setenv("DOCKERCISE_KEEP_RUNS", "1")
    monkeypatch.setenv("DOCKERCISE_RESULTS", "s3://results-of-mine/ci")

    said = command("gc")

    listed = command("runs", "--json")
    assert f"removed the record shop/{first.run_id}" in said.out
    assert [run["run_id"] for run in json.loads(listed.out)] == [second.run_id]


def test_what_stages_have_left_in_a_bucket_is_bounded(command: Command, aws: Aws) -> None:
    """In a bucket, it is the same: what old runs have left goes, and what newer ones have left stays."""
    assert aws.url
    place = "s3://results-of-mine/ci"
    objects = open_objects(place, read_settings())
    left_in_cache(objects, 31, b"old")
    new = left_in_cache(objects, 29, b"new")

    said = command("gc", "--results", place)

    assert "removed what the cache knows of 1 run (" in said.out
    assert new in objects.sizes("")
    assert len(objects.sizes(".cache/shop")) == 1
    assert command("gc", "--results", place, "--dry-run").out == "nothing to do\n"


def test_an_unsent_record_that_is_too_old_does_not_stay(
    command: Command, data: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unsent record that is older than `keep_days` is removed even if its bucket refuses it, and others stay."""
    assert aws.url
    unsent_record(data, 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    kept = command("gc")
    still_there = list((data / UNSENT).iterdir())
    monkeypatch.setenv("DOCKERCISE_KEEP_DAYS", "1")
    old = made_old(data)

    gone = command("gc")

    assert (kept.status, len(still_there)) == (ExitStatus.ENGINE_FAILED, 1)
    assert f"removed the unsent shop/{old}: older than 1 day (keep_days)" in gone.out
    assert list((data / UNSENT).iterdir()) == []


def test_an_engine_that_is_gone_keeps_nothing_else_from_being_done(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an engine, `gc` says so, does the rest, and ends with status 3."""
    old, _ = records_of(data, 0, 1)
    monkeypatch.setenv("DOCKERCISE_KEEP_RUNS", "1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")

    said = command("gc")

    assert said.status == ExitStatus.ENGINE_FAILED
    assert "nowhere.sock" in said.err
    assert not old.folder.exists()


def test_a_prefect_that_is_gone_keeps_nothing_else_from_being_done(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Prefect, `gc` says so, does the rest, and ends with status 3."""
    old, _ = records_of(data, 0, 1)
    monkeypatch.setenv("DOCKERCISE_KEEP_RUNS", "1")

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        said = command("gc")

    assert said.status == ExitStatus.ENGINE_FAILED
    assert "Prefect failed" in said.err
    assert not old.folder.exists()


def test_it_can_be_done_after_each_run(
    command: Command, data: Path, folder: Path, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `gc_after_runs`, a run that has ended starts `gc` in a process of its own."""
    assert engine.info().version
    (folder / "endless.dockercise.yaml").write_text(f"quick: {{img: {BUSYBOX}, run: echo hi}}")
    old, _ = records_of(data, 0, 1)
    monkeypatch.setenv("DOCKERCISE_KEEP_RUNS", "1")
    monkeypatch.setenv("DOCKERCISE_GC_AFTER_RUNS", "true")

    with victim(folder, os.environ) as run:
        run.wait_until(lambda: False)

        assert "passed" in run.said
        eventually(old.folder.exists, lambda exists: not exists)
