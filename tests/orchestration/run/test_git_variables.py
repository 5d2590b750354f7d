"""The variables of git in the stages of a run, on a scripted engine and a real Prefect server."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.flow_engine import run_flow
from prefect.states import Pending

from dockercise_prefect.orchestration.run.launch import launch, pipeline_flow
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, Stage, host
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES, RunContext, RunEvent
from dockercise_prefect.settings import Settings
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.orchestration.running import sh
from tests.support.hosts.git_repository import git, make_repository

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted


def _asking() -> Stage:
    return sh("ask", "ask", env={name: host(name, optional=True) for name in sorted(RUN_VARIABLES)})


def _set(engine: ScriptedEngine) -> dict[str, str]:
    """The variables of git that the last stage got."""
    found = re.findall(r"^command export (DOCKERCISE_\w+)='(.*?)'$", engine.runs[-1].stdin.decode(), re.MULTILINE | re.DOTALL)
    return {name: text for name, text in found if name in RUN_VARIABLES}


def test_a_run_by_hand_has_what_the_checkout_says(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage gets the variables of git that it names. Those of the process, as in a run inside a run, do not replace them."""
    folder = make_repository(tmp_path / "root", {"f": "1"}, "feature")
    git(folder, "tag", "v1.0")
    for name in RUN_VARIABLES:
        monkeypatch.setenv(name, "of-the-outer-run")

    launch(Pipeline("hello", [_asking()]), folder, (), RunOptions(settings=settings, engine=scripted))

    assert _set(scripted) == {
        "DOCKERCISE_AUTHOR": "A Developer <developer@example.org>",
        "DOCKERCISE_BRANCH": "feature",
        "DOCKERCISE_COMMIT": git(folder, "rev-parse", "HEAD"),
        "DOCKERCISE_EVENT": "manual",
        "DOCKERCISE_FAILED": "",
        "DOCKERCISE_MESSAGE": "Begin",
        "DOCKERCISE_PREVIOUS": "",
        "DOCKERCISE_PULL_REQUEST": "",
        "DOCKERCISE_REPOSITORY": "",
        "DOCKERCISE_SOURCE_BRANCH": "",
        "DOCKERCISE_STATUS": "",
        "DOCKERCISE_TAG": "v1.0",
        "DOCKERCISE_TARGET_BRANCH": "",
    }


def test_what_the_caller_knows_counts_also_for_untrusted_pipelines(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """If the caller says what is known, git is not asked; a pipeline that is not trusted gets these variables too."""
    folder = make_repository(tmp_path / "root", {"f": "1"}, "feature")
    known = RunContext(event=RunEvent.PUSH, branch="main", previous="b" * 40)
    options = RunOptions(settings=replace(settings, untrusted=True), engine=scripted, git=known)

    launch(Pipeline("hello", [_asking()]), folder, (), options)

    assert _set(scripted) == {"DOCKERCISE_STATUS": "", "DOCKERCISE_FAILED": "", **known.variables}


def test_a_variable_of_git_is_masked_only_if_the_pipeline_says_so(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """Branches and messages are shown like any text; one that `meta.secrets` names is masked."""
    scripted.script("ask", Behaviour(stdout=b"on a-branch: a message\n"))
    known = RunContext(branch="a-branch", message="a message")
    options = RunOptions(settings=settings, engine=scripted, git=known)

    summary = launch(Pipeline("hello", [_asking()], secrets=["DOCKERCISE_MESSAGE"]), tmp_path / "root", (), options)

    record = Path(urlsplit(summary.results or "").path)
    assert (record / "ask.log").read_text() == "on a-branch: ***\n"


def test_a_deployed_module_that_a_schedule_starts(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """If Prefect's own schedule starts a compiled module, the event is the schedule; the rest is what the checkout says."""
    folder = make_repository(tmp_path / "root", {"f": "1"}, "feature")
    flow = pipeline_flow(Pipeline("hello", [_asking()]), folder, RunOptions(settings=settings, engine=scripted))
    with get_client(sync_client=True) as client:
        daily = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(days=1)))
        deployment = client.create_deployment(client.create_flow(flow), f"daily-{uuid4()}", schedules=[daily])
        client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment}, json={"min_runs": 1})
        of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        flow_run = client.read_flow_runs(deployment_filter=of_deployment)[0]
        client.set_flow_run_state(flow_run.id, Pending(), force=True)  # a worker takes it when its time has come

        run_flow(flow, flow_run=client.read_flow_run(flow_run.id))
        client.delete_deployment(deployment)

    assert (_set(scripted)["DOCKERCISE_EVENT"], _set(scripted)["DOCKERCISE_BRANCH"]) == ("schedule", "feature")
