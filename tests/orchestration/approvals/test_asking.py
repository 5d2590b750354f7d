"""Stages that somebody has to approve, on scripted engines and the session's Prefect server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun

from dockercise_prefect.errors import NothingToDoError, UsageError
from dockercise_prefect.orchestration.approvals import asking
from dockercise_prefect.orchestration.approvals.answering import Answering
from dockercise_prefect.orchestration.prefect.cancelling import Cancellation
from dockercise_prefect.orchestration.run.events import Event, Notice, RunStarted, Waiting
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, Stage, approval, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings
from tests.engines.scripted import BUSYBOX, ScriptedEngine

Answer = Callable[[Answering, str], object]


@dataclass
class Asked:
    """Runs a pipeline as the command does, and answers when it asks.

    Attributes:
        answers: each is called once, when the run asks: with what answers, and the run id.
        states: the state of the flow run each time when it asked.
        said: what the run told its user.
    """

    settings: Settings
    root: Path
    client: SyncPrefectClient
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    answers: list[Answer] = field(default_factory=list)
    states: list[FlowRun] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    run_id: str = ""

    def run(self, *stages: Stage, **rules: Any) -> RunSummary:
        """Run these stages, and return the summary."""
        options = RunOptions(settings=self.settings, engine=self.engine, observer=self.observe)
        try:
            return launch(Pipeline("asks", stages, **rules), self.root, [], options)
        except RunFailedError as failure:
            return failure.summary

    def observe(self, event: Event) -> None:
        """See `Observer`."""
        match event:
            case RunStarted(run_id):
                self.run_id = run_id
            case Notice(text):
                self.said.append(text)
            case Waiting(what) if what.startswith("an approval"):
                self.states.append(self.flow_run())
                self.answers.pop(0)(Answering(self.client), self.run_id)
            case _:
                pass

    def flow_run(self) -> FlowRun:
        """The flow run, as Prefect has it now."""
        named = FlowRunFilter(name=FlowRunFilterName(any_=[self.run_id]))
        (found,) = self.client.read_flow_runs(flow_run_filter=named)
        return found


@pytest.fixture
def asked(prefect_api: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Runs that ask."""
    assert prefect_api
    monkeypatch.setattr(asking, "POLL_SECONDS", 0.1)
    return Asked(settings, tmp_path / "root", get_client(sync_client=True))


BUILD = stage("build", image=BUSYBOX, run="x")
DEPLOY = stage("deploy", image=BUSYBOX, run="x", after=[BUILD], approve="Deploy to *production*?")
SMOKE = stage("smoke", image=BUSYBOX, run="x", after=[DEPLOY])
CLEAN = stage("clean", image=BUSYBOX, run="x", when="always", after=[DEPLOY])


def test_a_yes_lets_the_stage_run(asked: Asked) -> None:
    """The flow run is Paused while it waits; the answer and its giver are in the record, and the user learns how to answer."""
    asked.answers = [lambda answering, run: answering.answer(run, "deploy", "yes", "ann")]

    summary = asked.run(BUILD, DEPLOY, SMOKE)

    assert {name: one.status for name, one in summary.stages.items()} == dict.fromkeys(("build", "deploy", "smoke"), "passed")
    deploy = summary.stages["deploy"]
    assert deploy.approval is not None
    assert (deploy.approval.answer, deploy.approved_by) == ("yes", "ann")
    assert [(one.state_name, one.run_count) for one in asked.states] == [("Paused", 1)]
    assert asked.flow_run().run_count == 1
    assert "deploy waits for an approval: Deploy to *production*?" in asked.said
    assert any(line.startswith(f"to answer, type `dockercise approve {summary.run_id} deploy`") for line in asked.said)
    assert "deploy: approved by ann (not verified)" in asked.said
    stored = json.loads((Path(asked.settings.results) / "asks" / summary.run_id / "deploy.json").read_text())
    assert (stored["approved_by"], stored["approval"]["answer"]) == ("ann", "yes")


def test_a_no_skips_the_stage_and_the_run_passes(asked: Asked) -> None:
    """A refused stage and what comes after it are skipped; clean-up stages run."""
    asked.answers = [lambda answering, run: answering.answer(run, None, "no", "bob")]

    summary = asked.run(BUILD, DEPLOY, SMOKE, CLEAN)

    assert {name: one.status for name, one in summary.stages.items()} == {
        "build": "passed",
        "deploy": "skipped",
        "smoke": "skipped",
        "clean": "passed",
    }
    assert summary.stages["deploy"].message == "skipped: refused by bob (not verified)"
    assert summary.stages["deploy"].approved_by is None
    assert summary.status == "passed"


def test_nobody_answers_in_time(asked: Asked) -> None:
    """A stage that nobody approves in time has failed, and so has the run; clean-up stages run."""
    asked.answers = [lambda _answering, _run: None]
    deploy = stage("deploy", image=BUSYBOX, run="x", approve=approval("Deploy?", timeout=0.1))
    clean = stage("clean", image=BUSYBOX, run="x", when="always")

    summary = asked.run(BUILD, deploy, clean)

    assert {name: one.status for name, one in summary.stages.items()} == {
        "build": "passed",
        "deploy": "timed_out",
        "clean": "passed",
    }
    assert summary.status == "failed"
    assert summary.stages["deploy"].message == "timed out: nobody answered in time"
    assert asked.flow_run().state_name == "Failed"


def test_a_cancelled_run_cleans_up(asked: Asked) -> None:
    """A run that is cancelled while it waits starts no more than its clean-up stages."""
    asked.answers = [lambda _answering, run: Cancellation(asked.client).ask(run)]
    clean = stage("clean", image=BUSYBOX, run="x", when="always")

    summary = asked.run(BUILD, DEPLOY, clean)

    assert {name: one.status for name, one in summary.stages.items()} == {
        "build": "passed",
        "deploy": "not_started",
        "clean": "passed",
    }
    assert summary.status == "cancelled"
    assert asked.flow_run().state_name == "Cancelled"


def test_several_stages_are_in_one_form(asked: Asked) -> None:
    """Stages that wait at once are asked about together. Whoever answers names one; the others are asked about again."""
    one, two = (stage(name, image=BUSYBOX, run="x", approve=f"{name}?") for name in ("one", "two"))
    refused: list[UsageError] = []

    def answer(answering: Answering, run: str) -> None:
        for wrong in (None, "three"):
            with pytest.raises(UsageError) as caught:
                answering.answer(run, wrong, "yes", "ann")
            refused.append(caught.value)
        answering.answer(run, "two", "yes", "ann")

    asked.answers = [answer, lambda answering, run: answering.answer(run, "one", "no", "ann")]

    summary = asked.run(one, two)

    assert [str(error).splitlines()[0] for error in refused] == [
        "several stages wait: one, two",
        "`three` does not wait for an approval",
    ]
    assert {name: stage.status for name, stage in summary.stages.items()} == {"one": "skipped", "two": "passed"}


def test_a_run_that_does_not_wait_takes_no_answer(asked: Asked) -> None:
    """Whoever answers a run that has ended learns how it is."""
    asked.answers = []
    summary = asked.run(BUILD)

    with pytest.raises(NothingToDoError, match="does not wait for an approval: it is Completed"):
        Answering(asked.client).answer(summary.run_id, None, "yes", "ann")


def test_a_state_without_the_form_is_no_answer(asked: Asked) -> None:
    """Who sets the flow run to Running without the form has answered nothing, and the run asks again."""

    def resume(_answering: Answering, _run: str) -> None:
        flow_run = asked.flow_run()
        running = {"type": "RUNNING", "name": "Running"}
        asked.client.request(
            "POST", "/flow_runs/{id}/set_state", path_params={"id": UUID(str(flow_run.id))}, json={"state": running}
        )

    asked.answers = [resume, lambda answering, run: answering.answer(run, None, "yes", "ann")]

    summary = asked.run(BUILD, DEPLOY)

    assert summary.stages["deploy"].status == "passed"
    assert len(asked.states) == 2
