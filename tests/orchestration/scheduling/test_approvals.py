"""The scheduler and stages that somebody has to approve: when it asks, and what becomes of each answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from dockercise_prefect.orchestration.scheduling import approvals, scheduler
from dockercise_prefect.orchestration.scheduling.approvals import Question
from dockercise_prefect.pipeline import Approval, Instance
from tests.orchestration.scheduling.scheduler_world import World


def asking(run: World, *names: str, timeout: float | None = None) -> World:
    """The run, with a question before these stages."""
    stages = [replace(one, approve=Approval("really?", timeout)) if one.name in names else one for one in run.pipeline]
    run.pipeline = replace(run.pipeline, stages=stages)
    return run


def test_somebody_is_asked_when_nothing_else_can_go_on(world: Callable[..., World]) -> None:
    """The question comes after all stages that need no approval, and the stage and its consumers run after a yes."""
    run = asking(world({"b": "", "d": "b", "t": "b", "s": "d"}), "d")
    before: list[str] = []

    def answer(_questions: Sequence[Question]) -> None:
        before.extend(run.tasks.submitted)
        run.answer(d="yes")

    run.on_ask = answer

    assert run.execute() is None

    assert sorted(before) == ["b", "t"]
    assert run.tasks.submitted[2:] == ["d", "s"]
    assert run.asked == ["ask: d"]
    assert run.record.stage("d").approved_by == "ann"
    assert run.record.stage("s").approval is None


def test_a_refusal_skips_the_stage_and_what_comes_after_it(world: Callable[..., World]) -> None:
    """What comes after a refused stage is skipped too, even by `after` alone; clean-up runs, and nothing has failed."""
    run = asking(world({"a": "", "b": "a", "c": "b", "d": "c", "C": "b"}), "b")
    run.on_ask = lambda _questions: run.answer(b="no")

    run.execute()

    assert run.statuses() == {"a": "passed", "b": "skipped", "c": "skipped", "d": "skipped", "C": "passed"}
    assert run.tasks.blocked == {
        "b": "skipped: refused by ann (not verified)",
        "c": "skipped: it comes after b, which was refused",
        "d": "skipped: it comes after c, which was refused",
    }


def test_a_stage_that_nobody_approves_in_time_has_failed(world: Callable[..., World]) -> None:
    """Out of time, the stage has timed out without a start, and what needs it is blocked."""
    run = asking(world({"a": "", "b": "a"}), "a", timeout=60)
    due = []

    def answer(questions: Sequence[Question]) -> None:
        due.append(questions[0].due)
        run.answer(a="none")

    run.on_ask = answer

    run.execute()

    assert due != [None]
    assert run.record.stage("a").message == "timed out: nobody answered in time"
    assert run.statuses() == {"a": "timed_out", "b": "not_started"}


def test_stages_without_an_answer_are_asked_about_again(world: Callable[..., World]) -> None:
    """All stages that wait are asked about at once; what is not answered waits until again nothing else can go on."""
    run = asking(world({"a": "", "b": "", "c": "a"}), "a", "b")

    def answer(questions: Sequence[Question]) -> None:
        run.answer(a="yes") if questions[0].name == "a" else run.answer(b="yes")

    run.on_ask = answer

    run.execute()

    assert run.asked == ["ask: a, b", "ask: b"]
    assert run.tasks.submitted == ["a", "c", "b"]


def test_instances_share_one_question(world: Callable[..., World]) -> None:
    """Somebody is asked once about all instances of a stage, also for one that becomes ready after the answer."""
    run = asking(world({"a": "", "b": "", "x": "a", "c": "x"}), "a", "b", "c")
    of_deploy = {name: Instance("deploy", name, {}) for name in "abc"}
    run.pipeline = replace(run.pipeline, stages=[replace(one, instance=of_deploy.get(one.name)) for one in run.pipeline])
    run.on_ask = lambda _questions: run.answer(deploy="yes")

    run.execute()

    assert run.asked == ["ask: deploy"]
    assert run.statuses() == dict.fromkeys("abxc", "passed")
    assert run.record.stage("c").approved_by == "ann"


def test_a_reused_stage_asks_for_nothing(world: Callable[..., World]) -> None:
    """Nobody is asked about a stage that need not run."""
    run = asking(world({"a": "", "b": "a"}), "a")
    run.store.made = "a"

    run.execute()

    assert run.asked == []
    assert run.statuses() == {"a": "cached", "b": "passed"}


def test_a_cancel_ends_the_question(world: Callable[..., World]) -> None:
    """A signal while somebody is being asked withdraws the question, the stage does not start, and clean-up runs."""
    run = asking(world({"a": "", "b": "a", "C": "a"}), "b")
    run.on_ask = lambda _questions: os.kill(os.getpid(), signal.SIGTERM)

    assert run.execute() == "SIGTERM"

    assert run.asked == ["ask: b", "stop: the run was cancelled by SIGTERM", "withdraw"]
    assert run.statuses() == {"a": "passed", "b": "not_started", "C": "passed"}


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """See `time.monotonic`."""
        return self.now


def test_the_time_of_people_is_not_the_time_of_the_run(world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run does not time out because somebody took long to answer."""
    clock = Clock()
    monkeypatch.setattr(scheduler, "time", clock)
    monkeypatch.setattr(approvals, "time", clock)
    run = asking(world({"a": "", "b": "a"}, rules={"timeout": 60}), "a")

    def answer(_questions: Sequence[Question]) -> None:
        clock.now += 3600
        run.answer(a="yes")

    run.on_ask = answer

    assert run.execute() is None

    assert run.statuses() == {"a": "passed", "b": "passed"}
