"""A Prefect server that is killed while a run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.prefect.local_server import LocalServer, ServerFolder
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.settings import read_settings
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A separate data folder, for a server that may be killed."""
    return tmp_path / "data"


@pytest.fixture
def victim(data: Path) -> Iterator[LocalServer]:
    """The server that will be killed."""
    yield ServerFolder(data).up(lambda _text: None)
    ServerFolder(data).down()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("as_module", [False, True])
def test_the_stages_end_and_their_results_are_kept(victim: LocalServer, tmp_path: Path, as_module: bool) -> None:
    """Every stage runs to its end; the exit status is 3, and the process ends soon, although Prefect would try for minutes.

    The server is that of another user, which this user does not start again.

    The reason is shown once, in the last line, and Prefect adds nothing to the output of the command.
    """
    root = gated_pipeline(tmp_path)
    dockercise = [sys.executable, "-m", "dockercise_prefect"]
    subprocess.run([*dockercise, "compile", str(root), "-o", str(root)], check=True)
    command = [sys.executable, str(root / "root.py")] if as_module else [*dockercise, "run", "-C", str(root)]
    settings = {"DOCKERCISE_DATA": str(tmp_path / "mine"), "PREFECT_API_URL": victim.api_url}
    process = started(command, tmp_path, settings)

    os.kill(victim.pid, signal.SIGKILL)
    (tmp_path / "gate/open").touch()
    rest, _ = process.communicate(timeout=240)

    (results,) = (folder for folder in (tmp_path / "kept/root").iterdir() if folder.is_dir())
    summary = json.loads((results / "summary.json").read_text())
    assert process.returncode == ExitStatus.ENGINE_FAILED, rest
    assert "Prefect failed" in rest
    assert "`dockercise doctor`" in rest
    assert {entry["status"] for entry in summary["stages"].values()} == {"passed"}
    assert (results / "b9.log").read_text() == "9\n"
    assert summary["status"] == "error"
    assert summary["error"].startswith("Prefect failed")
    if not as_module:  # Prefect's own log is the output of a module
        assert rest.count("Prefect failed") == 1
        assert "error in" in rest.splitlines()[-2]
        assert "EventsWorker" not in rest
        assert "Error logging to API" not in rest


@pytest.mark.timeout(400)
def test_the_local_server_is_started_again(victim: LocalServer, data: Path, tmp_path: Path) -> None:
    """A local server that was killed is started again at the end of the run, which passes; Prefect then shows all of it."""
    root = gated_pipeline(tmp_path)
    command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(root), "--json"]
    process = started(command, tmp_path, {"DOCKERCISE_DATA": str(data)})

    os.kill(victim.pid, signal.SIGKILL)
    (tmp_path / "gate/open").touch()
    rest, _ = process.communicate(timeout=240)

    summary = json.loads(rest[rest.index("{\n") :])
    flow_run = prefect_records.flow_run(victim.api_url, summary["flow_run_id"])
    task_runs = prefect_records.task_runs(victim.api_url, summary["flow_run_id"], 11)
    body = {"artifacts": {"flow_run_id": {"any_": [summary["flow_run_id"]]}}}
    artifacts = prefect_records.ask(victim.api_url, "artifacts/filter", body)
    assert (process.returncode, summary["status"], flow_run.type) == (0, "passed", "COMPLETED"), rest
    assert "the local Prefect server has ended: starting it again" in rest
    assert {one.type for one in task_runs.values()} == {"COMPLETED"}
    assert len(artifacts) == 12


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_comes_back_in_the_middle(victim: LocalServer, data: Path, tmp_path: Path, how: signal.Signals) -> None:
    """The run passes and says when Prefect was away. Afterwards, Prefect has every state, line and artifact, each once."""
    root = gated_pipeline(tmp_path)
    command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(root), "--json"]
    process = started(command, tmp_path, {"DOCKERCISE_DATA": str(data)})

    os.kill(victim.pid, how)
    read_until(process, "Prefect does not answer")
    if how is signal.SIGSTOP:
        os.kill(victim.pid, signal.SIGCONT)
    else:
        ServerFolder(data).up(lambda _text: None)
    read_until(process, "Prefect answers again")
    (tmp_path / "gate/open").touch()
    rest, _ = process.communicate(timeout=240)

    summary = json.loads(rest[rest.index("{\n") :])
    id_ = summary["flow_run_id"]
    flow_run = prefect_records.flow_run(victim.api_url, id_)
    task_runs = prefect_records.task_runs(victim.api_url, id_, 11)
    lines = prefect_records.logs(victim.api_url, id_, "9")
    artifacts = prefect_records.ask(victim.api_url, "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [id_]}}})
    assert (process.returncode, summary["status"], flow_run.type) == (0, "passed", "COMPLETED"), rest
    assert {one.type for one in task_runs.values()} == {"COMPLETED"}
    assert [line for line in lines if line == "running"] == ["running"]
    assert sorted(line for line in lines if line in set("0123456789")) == list("0123456789")
    assert len(artifacts) == 12


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read lines of the process until one has the text."""
    said = ""
    while text not in said:
        line = cast("Any", process.stdout).readline()
        assert line, said
        said += line


def gated_pipeline(folder: Path) -> Path:
    """The root of a pipeline whose first stage waits until the file `gate/open` is in the folder."""
    root = folder / "root"
    root.mkdir()
    (folder / "gate").mkdir()
    wait = "echo running; until [ -e /gate/open ]; do sleep 0.1; done"
    stages = f"a: {{img: {BUSYBOX}, vol: '{folder}/gate:/gate', run: '{wait}'}}\n"
    stages += "".join(f"b{number}: {{img: {BUSYBOX}, env: a, run: echo {number}}}\n" for number in range(10))
    (root / "root.dockercise.yaml").write_text(stages)
    return root


def started(command: list[str], folder: Path, settings: dict[str, str]) -> subprocess.Popen[str]:
    """The command, when its first stage runs. Both outputs are in one stream."""
    environment = {name: text for name, text in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"DOCKERCISE_RESULTS": str(folder / "kept"), **settings}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder
    )
    read_until(process, "running")
    return process


def test_an_api_that_is_lost_before_the_stages_run_ends_in_a_record(
    prefect_api: str, data_folder: Path, tmp_path: Path
) -> None:
    """The record has the stages of the run and why they did not run, and nothing is left on the engine."""
    engine = ScriptedEngine()
    settings = replace(read_settings(), results=str(tmp_path / "results"), data=data_folder)
    pipeline = Pipeline("lost", [stage("a", image=BUSYBOX, run="true")])
    engine.fail("resolve_image", cast("Any", httpx.ConnectError("refused")))  # as if a request to Prefect had been made there

    with pytest.raises(RunFailedError) as failed:
        launch(pipeline, tmp_path / "root", (), RunOptions(settings=settings, engine=engine))

    folder = Path(urlsplit(failed.value.summary.results or "").path)
    assert failed.value.exit_status == ExitStatus.ENGINE_FAILED
    assert "Prefect failed" in json.loads((folder / "summary.json").read_text())["error"]
    assert engine.leftovers() == []
