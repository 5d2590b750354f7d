"""Runs with `meta.cleanupAfterCrash` that are killed, and what `gc` or the next run makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_view import RunView, look
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.engines.scripted import BUSYBOX
from tests.support.killing import flow_runs_of, left_on, victim
from tests.support.prefect import prefect_records

pytestmark = [pytest.mark.docker, pytest.mark.alone]

PIPELINE = f"""
meta: {{cleanupAfterCrash: true, defaults: {{img: {BUSYBOX}}}}}
make: {{run: echo one > make/file; echo 42}}
wait:
  after: make
  run: echo partly | tee wait/file; echo running; while :; do sleep 0.1; done
never: {{after: wait, run: echo never}}
tidy:
  when: always
  env: make
  vol: [code, make, 'wait:/seen']
  after: wait
  run: |
    files=$(cat /code/name /make/file /seen/file | tr '\\n' ' ')
    echo "$MAKE, $files, $DOCKERCISE_STATUS after $DOCKERCISE_FAILED" > /tidy/note
told: {{when: always, vol: tidy, run: cat /tidy/note}}
ask: {{when: failure, after: wait, env: ADDRESS, run: echo $ADDRESS}}
"""


@pytest.fixture
def folder(tmp_path: Path, docker_session: DockerEngine) -> Iterator[Path]:
    """A folder with the pipeline."""
    root = tmp_path / f"crash-{uuid.uuid4().hex}"
    root.mkdir()
    (root / "crash.dockercise.yaml").write_text(PIPELINE)
    (root / "name").write_text("code\n")
    yield root
    remove_all(docker_session, left_on(docker_session, root.name))


@pytest.fixture
def environment(prefect_api: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a run that reports to the session's server."""
    return os.environ | {"PREFECT_API_URL": prefect_api, "DOCKERCISE_DATA": str(tmp_path / "data")}


def kill(folder: Path, environment: Mapping[str, str], *arguments: str) -> None:
    """Start the run, and kill it in its second stage."""
    with victim(folder, environment, "--env", "ADDRESS=x@example.org", *arguments) as run:
        run.wait_for("│ running")
        assert run.kill(), run.said


def dockercise(environment: Mapping[str, str], *words: str) -> str:
    """What a command prints that succeeds."""
    command = [sys.executable, "-m", "dockercise_prefect", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def record_of(folder: Path, tmp_path: Path) -> RecordedRun:
    """The record of the killed run."""
    (record,) = [each for each in Records(FolderObjects(tmp_path / "data/results")).runs() if each.pipeline == folder.name]
    return record


def statuses(view: RunView) -> dict[str, str]:
    """How each stage ended."""
    return {name: stage.status.value for name, stage in view.stages.items()}


def test_gc_runs_the_clean_up_stages(
    folder: Path, environment: dict[str, str], docker_session: DockerEngine, prefect_api: str, tmp_path: Path
) -> None:
    """They see what was made, what was left half-made, and the code of that time. Variables of the process are gone."""
    kill(folder, environment)
    (folder / "name").write_text("changed since\n")
    command = [sys.executable, "-m", "dockercise_prefect", "gc", "--dry-run"]
    planned = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300).stdout

    said = dockercise(environment, "gc")

    view = look(record_of(folder, tmp_path))
    (flow_run,) = flow_runs_of(prefect_api, folder.name)
    assert f"would clean up after the run {flow_run['name']} of {folder.name}" in planned
    assert planned.count(str(flow_run["name"])) == 1
    assert f"cleaned up after the run {flow_run['name']} of {folder.name}" in said
    assert f"ended the run {flow_run['name']}" not in said
    assert statuses(view) == {
        "make": "passed",
        "wait": "error",
        "never": "not_started",
        "tidy": "passed",
        "told": "passed",
        "ask": "skipped",
    }
    assert view.stages["ask"].message == "skipped: only the process that died knew its variable ADDRESS"
    assert view.stages["never"].message == "not started: the run's process ended first"
    assert view.summary is not None
    assert view.summary.error is not None
    assert view.summary.error.startswith("the run's process ended without a word on")
    assert view.problems == ()
    told = json.loads((Path(tmp_path / "data/results") / view.run.path / "told.json").read_text())
    assert told["value"] == "42, code one partly , failed after wait"
    assert flow_run["state_type"] == "CRASHED"
    tasks = prefect_records.task_runs(prefect_api, str(flow_run["id"]), 5)
    assert {name: task.type for name, task in tasks.items()} == {
        "make": "COMPLETED",
        "wait": "CRASHED",
        "tidy": "COMPLETED",
        "told": "COMPLETED",
        "ask": "COMPLETED",
    }
    assert left_on(docker_session, folder.name) == []
    assert {path.name for path in (tmp_path / "data/results" / view.run.path).glob(".*")} == set()


def test_gc_runs_nothing_that_would_do_something_else(
    folder: Path, environment: dict[str, str], docker_session: DockerEngine, tmp_path: Path
) -> None:
    """A script with a secret text is not complete in the record, and without a variable it could mean something else."""
    (folder / "crash.dockercise.yaml").write_text(f"""
meta: {{cleanupAfterCrash: true, secrets: KEY, defaults: {{img: {BUSYBOX}}}}}
wait: {{env: {{KEY: hush-hush-hush}}, run: 'echo running; while :; do sleep 0.1; done'}}
script: {{when: always, run: echo remove hush-hush-hush}}
maybe: {{when: always, env: ADDRESS?, run: 'echo remove ${{ADDRESS:-everything}}'}}
unset: {{when: always, env: NEVER_SET_ANYWHERE?, run: 'echo remove ${{NEVER_SET_ANYWHERE:-nothing}}'}}
""")
    kill(folder, environment)

    dockercise(environment, "gc")

    view = look(record_of(folder, tmp_path))
    assert {name: view.stages[name].message for name in ("script", "maybe", "unset")} == {
        "script": "skipped: only the process that died knew a secret text that is written in it",
        "maybe": "skipped: only the process that died knew its variable ADDRESS",
        "unset": None,
    }
    assert statuses(view)["unset"] == "passed"
    assert left_on(docker_session, folder.name) == []


def test_gc_without_prefect_leaves_it_to_the_next(
    folder: Path, environment: dict[str, str], docker_session: DockerEngine, tmp_path: Path
) -> None:
    """As long as Prefect does not answer, what the clean-up stages need stays, and the record has no end."""
    kill(folder, environment)
    before = left_on(docker_session, folder.name)
    command = [sys.executable, "-m", "dockercise_prefect", "gc"]
    away = environment | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}

    alone = subprocess.run(command, check=False, capture_output=True, text=True, env=away, timeout=300)
    between = left_on(docker_session, folder.name)
    dockercise(environment, "gc")

    assert alone.returncode == ExitStatus.ENGINE_FAILED
    assert {each.id for each in between} == {each.id for each in before}
    assert statuses(look(record_of(folder, tmp_path)))["told"] == "passed"


def test_the_next_run_leaves_it_to_gc(
    folder: Path, environment: dict[str, str], docker_session: DockerEngine, prefect_api: str, tmp_path: Path
) -> None:
    """The next run of anything starts `gc` in the background, and removes nothing that the clean-up stages need."""
    kill(folder, environment)
    other = tmp_path / "other"
    other.mkdir()
    (other / "quick.dockercise.yaml").write_text(f"quick: {{img: {BUSYBOX}, run: echo hi}}")

    dockercise(environment, "run", "-C", str(other))

    prefect_records.eventually(lambda: left_on(docker_session, folder.name), lambda left: left == [])
    prefect_records.eventually(
        lambda: [run["state_type"] for run in flow_runs_of(prefect_api, folder.name)], lambda states: states == ["CRASHED"]
    )
    assert statuses(look(record_of(folder, tmp_path)))["tidy"] == "passed"


def test_what_may_be_secret_is_not_shown(
    folder: Path, environment: dict[str, str], docker_session: DockerEngine, tmp_path: Path
) -> None:
    """Nobody knows the secrets of the dead process any more, so what is printed by stages that may print them is not kept."""
    secret = PIPELINE.replace("true,", "true, secrets: TOKEN,").replace("  after: make\n", "  after: make\n  env: TOKEN\n")
    (folder / "crash.dockercise.yaml").write_text(secret.replace("echo partly", "echo partly $TOKEN"))
    kill(folder, environment, "--env", "TOKEN=hush-hush-hush")

    said = dockercise(environment, "gc")

    record = record_of(folder, tmp_path)
    assert statuses(look(record))["told"] == "passed"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data/results" / record.path).iterdir())
    assert b"hush-hush" not in kept + said.encode()
    assert not (tmp_path / "data/results" / record.path / "wait.tar.zst").exists()
    assert b"partly" not in (tmp_path / "data/results" / record.path / "told.json").read_bytes()
    assert left_on(docker_session, folder.name) == []
