"""Runs are killed at random moments, and `gc` leaves everything as if nobody had been killed, except for the records."""

from __future__ import annotations

import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import listed
from dockercise_prefect.results.reading.run_view import look
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.status import StageStatus
from tests.support.killing import VictimRun, flow_runs_of, left_on, victim

pytestmark = [pytest.mark.docker, pytest.mark.alone, pytest.mark.timeout(3600)]

PIPELINE = """
fetch: {img: busybox, run: echo one > fetch/file; echo fetched}
slow: {img: busybox, run: sleep 0.5}
work: {img: busybox, on: fetch, run: echo two > other; sleep 0.3}
value: {img: busybox, env: fetch, after: [slow, work], run: echo $fetch; seq 1000}
last: {img: busybox, after: value, run: sleep 0.3}
"""

LONGEST = 6.0
"""Seconds after which a run is killed at the latest. It takes about half of that, most of it before its first stage."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline of all kinds of edges."""
    root = tmp_path / f"random-{uuid.uuid4().hex}"
    root.mkdir()
    (root / "random.dockercise.yaml").write_text(PIPELINE)
    return root


@pytest.fixture
def engine(busybox: str) -> Iterator[DockerEngine]:
    """The real engine, with the image of the pipeline."""
    assert busybox
    engine = DockerEngine.connect()
    yield engine
    engine.close()


def begun(run: VictimRun, api: str, pipeline: str, number: int) -> None:
    """Wait until Prefect knows the run."""
    run.wait_until(lambda: len(flow_runs_of(api, pipeline)) > number)


KillRuns = Callable[[int, int], None]


@pytest.fixture
def kill_runs(folder: Path, environment: dict[str, str], prefect_api: str) -> KillRuns:
    """Kills so many runs, each at a random moment after Prefect knows it; the seed decides the moments."""

    def kill(count: int, seed: int) -> None:
        moments = random.Random(seed)  # noqa: S311  not for secrets
        for number in range(count):
            with victim(folder, environment) as run:
                begun(run, prefect_api, folder.name, number)
                run.live(moments.uniform(0, LONGEST / 2))
                run.kill()
                assert "Traceback" not in run.said

    return kill


@pytest.mark.parametrize(
    ("count", "seed"),
    [(2, 1), pytest.param(100, 2, marks=pytest.mark.acceptance)],
)
def test_nothing_is_left_and_everything_is_told(  # noqa: PLR0917  fixtures
    count: int,
    seed: int,
    kill_runs: KillRuns,
    folder: Path,
    environment: dict[str, str],
    engine: DockerEngine,
    prefect_api: str,
    tmp_path: Path,
) -> None:
    """After `gc`, the engine is empty, every flow run is in a final state that says what happened, every record is readable."""
    kill_runs(count, seed)

    command = [sys.executable, "-m", "dockercise_prefect", "gc"]
    gc = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=600)

    assert gc.returncode in {ExitStatus.DONE, ExitStatus.NOTHING_TO_DO}, gc.stderr
    assert left_on(engine, folder.name) == []
    flow_runs = flow_runs_of(prefect_api, folder.name)
    assert len(flow_runs) == count
    assert {run["state_type"] for run in flow_runs} <= {"CRASHED", "COMPLETED"}
    assert all("ended without a word" in str(run["state"]) for run in flow_runs if run["state_type"] == "CRASHED")
    for row in listed(Records(FolderObjects(tmp_path / "data/results")).runs()):
        view = look(row.run)
        assert row.status in {"error", "passed"}, row.problem
        assert StageStatus.RUNNING not in {stage.status for stage in view.stages.values()}
        assert view.problems == () or len(view.pipeline) == 0
