"""`kill -9` of a run at several moments, and what the next run makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.crash.unfinished import UNFINISHED
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import listed
from dockercise_prefect.results.reading.run_view import look
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.engines.scripted import BUSYBOX
from tests.support.killing import VictimRun, flow_runs_of, left_on, states_of, victim

pytestmark = [pytest.mark.docker, pytest.mark.alone]

PIPELINE = f"""
first: {{img: {BUSYBOX}, run: echo hello}}
endless:
  img: {BUSYBOX}
  after: first
  run: echo running; while :; do sleep 0.1; done
later: {{img: {BUSYBOX}, after: endless, run: echo never}}
"""
Moment = Callable[[VictimRun, str, str], None]
QUICK = f"quick: {{img: {BUSYBOX}, run: echo hi}}"


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


def next_run(folder: Path, environment: dict[str, str]) -> str:
    """Run another pipeline to its end, and return what it printed."""
    other = folder.with_name(f"{folder.name}-next")
    other.mkdir()
    (other / "quick.dockercise.yaml").write_text(QUICK)
    command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(other)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def empty(engine: DockerEngine, pipeline: str) -> None:
    """Remove what the killed run of a test has left."""
    remove_all(engine, left_on(engine, pipeline))


def before_its_first_stage(run: VictimRun, api: str, pipeline: str) -> None:
    """Wait until Prefect shows the run as Running, or until it runs its first stage."""
    run.wait_until(lambda: "RUNNING" in states_of(api, pipeline))


def in_a_stage(run: VictimRun, _api: str, _pipeline: str) -> None:
    """Wait until the second stage runs."""
    run.wait_for("│ running")


@pytest.mark.parametrize("moment", [before_its_first_stage, in_a_stage])
def test_the_next_run_ends_a_killed_one(  # noqa: PLR0917  fixtures
    moment: Moment, folder: Path, environment: dict[str, str], docker_session: DockerEngine, prefect_api: str, tmp_path: Path
) -> None:
    """The next run empties the docker_session, sets the flow run and its task runs to Crashed, and ends the record."""
    with victim(folder, environment) as run:
        moment(run, prefect_api, folder.name)
        was_alive = run.kill()

    said = next_run(folder, environment)

    (flow_run,) = flow_runs_of(prefect_api, folder.name)
    assert was_alive, run.said
    assert f"{flow_run['name']} is now Crashed in Prefect" in said
    assert flow_run["state_type"] == "CRASHED"
    assert "ended without a word on" in str(flow_run["state"])
    assert left_on(docker_session, folder.name) == []
    for record in Records(FolderObjects(tmp_path / "data/results")).runs():
        (row,) = listed([record])
        assert row.status == ("error" if record.pipeline == folder.name else "passed")
        assert look(record).problems == ()


def test_a_run_that_lives_is_left_alone(
    folder: Path, environment: dict[str, str], docker_session: DockerEngine, prefect_api: str
) -> None:
    """While a run lives, the next one changes nothing of it: neither on the docker_session, nor in Prefect, nor its record."""
    with victim(folder, environment) as run:
        in_a_stage(run, prefect_api, folder.name)

        said = next_run(folder, environment)

        assert "Crashed" not in said
        assert "removed" not in said
        assert left_on(docker_session, folder.name) != []
        assert set(states_of(prefect_api, folder.name)) <= set(UNFINISHED)
    empty(docker_session, folder.name)
