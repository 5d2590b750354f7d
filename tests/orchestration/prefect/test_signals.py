"""Interrupted runs: containers stop with a grace, the flow run is cancelled, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.engines.line import line_to
from tests.engines.scripted import BUSYBOX
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker

PIPELINE = f"""
graceful:
  img: {BUSYBOX}
  run: |
    trap 'echo said goodbye; exit 0' TERM
    echo running
    while :; do sleep 0.1; done
stubborn:
  img: {BUSYBOX}
  run: |
    trap '' TERM
    echo running
    while :; do sleep 0.1; done
later: {{img: {BUSYBOX}, after: graceful, run: echo never}}
"""


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline that does not end by itself."""
    root = tmp_path / f"endless-{uuid.uuid4().hex}"
    root.mkdir()
    (root / "endless.dockercise.yaml").write_text(PIPELINE)
    return root


@pytest.fixture
def environment(prefect_api: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a run that reports to the session's server."""
    return os.environ | {"PREFECT_API_URL": prefect_api, "DOCKERCISE_DATA": str(tmp_path / "data")}


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    """The real engine."""
    engine = DockerEngine.connect()
    yield engine
    engine.close()


def start(folder: Path, environment: dict[str, str], *targets: str) -> subprocess.Popen[str]:
    """Start a run, and return when it has printed that its stages run."""
    dockercise = ["env", "--default-signal=HUP", sys.executable, "-m", "dockercise_prefect"]  # the tests may run under nohup
    command = [*dockercise, "run", "-C", str(folder), "--json", *targets]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    STARTED.append(process)
    waiting = {"graceful", "stubborn"} if not targets else set(targets)
    assert process.stderr is not None
    for line in process.stderr:
        waiting -= {name for name in waiting if line.startswith(name) and "running" in line}
        if not waiting:
            return process
    raise AssertionError("the run ended before its stages ran")


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Ends all runs that outlive their test."""
    yield
    for process in STARTED:
        process.kill()
        process.wait()
    STARTED.clear()


def left_of(engine: DockerEngine, pipeline: str) -> list[str]:
    """Everything that the pipeline left on the engine."""
    return [left.id for left in engine.leftovers() if left.labels.get("dockercise.pipeline") == pipeline]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_with_grace(
    number: signal.Signals, folder: Path, environment: dict[str, str], engine: DockerEngine, prefect_api: str
) -> None:
    """A script gets SIGTERM and may end in order; Prefect shows Cancelled, the exit status is 130, and nothing is left."""
    process = start(folder, environment, "graceful")

    process.send_signal(number)
    output, errors = process.communicate(timeout=60)

    summary = json.loads(output)
    flow_run = prefect_records.flow_run(prefect_api, summary["flow_run_id"])
    assert process.returncode == ExitStatus.INTERRUPTED
    assert summary["status"] == "cancelled"
    assert summary["stages"]["graceful"]["status"] == "cancelled"
    assert "said goodbye" in errors
    assert number.name in errors
    assert flow_run.type == "CANCELLED"
    assert left_of(engine, folder.name) == []


def test_a_second_signal_kills(folder: Path, environment: dict[str, str], engine: DockerEngine) -> None:
    """Ctrl-C again kills a script that ignores SIGTERM; stages that did not start are reported, and nothing is left."""
    process = start(folder, environment)

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)

    stages = json.loads(output)["stages"]
    assert process.returncode == ExitStatus.INTERRUPTED
    assert stages["stubborn"]["status"] == "cancelled"
    assert stages["later"]["status"] == "not_started"
    assert left_of(engine, folder.name) == []


@pytest.mark.alone
def test_an_engine_that_does_not_answer_does_not_hold_the_user(
    folder: Path, environment: dict[str, str], engine: DockerEngine, tmp_path: Path
) -> None:
    """If the engine stops answering, three signals still end the process, and the summary shows which stages ran."""
    with line_to(engine.info().url, tmp_path) as line:
        process = start(folder, environment | {"DOCKER_HOST": line.url}, "graceful")
        line.freeze()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    left = [leftover for leftover in engine.leftovers() if leftover.labels.get("dockercise.pipeline") == folder.name]
    for leftover in left:
        engine.discard(leftover)

    summary = json.loads(output)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert summary["status"] == "cancelled"
    assert summary["stages"]["graceful"]["status"] == "cancelled"
    assert "the engine does not answer" in errors
    assert left != []


@pytest.mark.alone
def test_what_a_killed_run_left_is_swept_by_the_next(folder: Path, environment: dict[str, str], engine: DockerEngine) -> None:
    """SIGKILL leaves a running container; the next run on the engine removes it and reports that."""
    process = start(folder, environment, "stubborn")
    process.kill()
    process.communicate()
    left = left_of(engine, folder.name)
    (folder / "endless.dockercise.yaml").write_text(f"quick: {{img: {BUSYBOX}, run: echo hi}}")

    command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(folder)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

    assert left != []
    assert said.returncode == 0, said.stderr
    assert "removed" in said.stdout
    assert left_of(engine, folder.name) == []
