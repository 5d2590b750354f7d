"""Conditions that are decided before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from dockercise_prefect.pipeline import Pipeline, RunContext, RunEvent, Stage, stage, when
from dockercise_prefect.pipeline.conditions import skipped_beforehand, unmet, without
from dockercise_prefect.pipeline.selection import run_of

PULL_REQUEST = RunContext(
    event=RunEvent.PULL_REQUEST, pull_request="7", source_branch="topic", target_branch="main", changed=("src/app.py",)
)
OF_THE_BRANCH_ITSELF = "the run is of a pull request, and `branch` without `event: pull_request` is for the branch itself"
ON_MAIN = RunContext(event=RunEvent.PUSH, branch="main", changed=("src/app.py", "README.md"))


@pytest.mark.parametrize(
    ("conditions", "context", "why"),
    [
        ({}, RunContext(), None),
        ({"branch": ["main"]}, ON_MAIN, None),
        ({"branch": ["release/*", "main"]}, ON_MAIN, None),
        ({"branch": ["dev"]}, ON_MAIN, "the branch is main, and must match dev"),
        ({"branch": ["main"]}, RunContext(branch="feature/main"), "the branch is feature/main, and must match main"),
        ({"branch": ["*", "!main"]}, ON_MAIN, "the branch is main, and must match * or !main"),
        ({"branch": ["*"]}, RunContext(), "the run has no branch, and must match *"),
        ({"tag": ["v*"]}, RunContext(tag="v1.2"), None),
        ({"tag": ["v*"]}, ON_MAIN, "the run has no tag, and must match v*"),
        ({"event": ["push", "tag"]}, ON_MAIN, None),
        ({"event": ["schedule", "tag"]}, ON_MAIN, "the run began by push, not by schedule or tag"),
        ({"changed": ["src/**"]}, ON_MAIN, None),
        ({"changed": ["docs/**", "*.txt"]}, ON_MAIN, "the push changed no file that matches docs/** or *.txt"),
        ({"changed": ["docs/**"]}, RunContext(), None),
        ({"branch": ["main"], "event": ["tag"]}, ON_MAIN, "the run began by push, not by tag"),
        ({"event": ["pull_request"]}, PULL_REQUEST, None),
        ({"event": ["pull_request"], "branch": ["main"]}, PULL_REQUEST, None),
        ({"event": ["push", "pull_request"], "branch": ["main"]}, PULL_REQUEST, None),
        ({"event": ["pull_request"], "branch": ["topic"]}, PULL_REQUEST, "the branch is main, and must match topic"),
        ({"event": ["push"], "branch": ["main"]}, PULL_REQUEST, "the run began by pull_request, not by push"),
        ({"branch": ["main"]}, PULL_REQUEST, OF_THE_BRANCH_ITSELF),
        ({"branch": ["topic"]}, PULL_REQUEST, OF_THE_BRANCH_ITSELF),
        ({"changed": ["docs/**"]}, PULL_REQUEST, "the pull request changed no file that matches docs/**"),
    ],
)
def test_a_condition(conditions: dict[str, Any], context: RunContext, why: str | None) -> None:
    """All conditions must hold; the first that does not hold is the reason. What nobody knows holds for `changed` alone."""
    assert unmet(when(**conditions), context) == why


def on(branch: str, name: str, **more: Any) -> Stage:
    return stage(name, image="i", run="x", when=when(branch=[branch]), **more)


def test_what_uses_a_skipped_stage_is_skipped() -> None:
    """A stage that uses a value or a file of a skipped stage is skipped, at any distance; one that only comes after it runs."""
    deploy = on("prod", "deploy")
    uses = stage("uses", image="i", run="x", env={"D": deploy.value})
    further = stage("further", image="i", run="x", volumes=[uses.volume])
    after = stage("after", image="i", run="x", after=[deploy])
    pipeline = Pipeline("p", [deploy, uses, further, after])

    assert skipped_beforehand(pipeline, ON_MAIN, []) == {
        "deploy": "the branch is main, and must match prod",
        "uses": "it uses the value of deploy, which is skipped",
        "further": "it mounts the volume of uses, which is skipped",
    }


def test_clean_up_uses_what_there_is_of_a_skipped_stage() -> None:
    """A clean-up stage with the value of a skipped stage is not skipped; one in its image, or that asks it, is."""
    deploy = on("prod", "deploy")
    tell = stage("tell", image="i", run="x", when="always", env={"D": deploy.value})
    inside = stage("inside", image=deploy, run="x", when="always")
    asks = stage("asks", image="i", run="x", when="failure", only_if=[deploy])

    assert skipped_beforehand(Pipeline("p", [deploy, tell, inside, asks]), ON_MAIN, []).keys() == {"deploy", "inside", "asks"}


def test_what_only_a_skipped_target_needs_is_skipped() -> None:
    """If a target is skipped, the stages that only it needs are skipped too; without targets, they were asked for."""
    build = stage("build", image="i", run="x")
    shared = stage("shared", image="i", run="x")
    deploy = on("prod", "deploy", after=[build, shared])
    test = stage("test", image="i", run="x", after=[shared])
    pipeline = Pipeline("p", [build, shared, deploy, test])

    assert skipped_beforehand(pipeline, ON_MAIN, ["deploy", "test"]) == {
        "build": "only deploy needs it",
        "deploy": "the branch is main, and must match prod",
    }
    assert skipped_beforehand(pipeline, ON_MAIN, []).keys() == {"deploy"}


def test_clean_up_of_a_skipped_target_is_skipped() -> None:
    """If a target is skipped, so are the clean-up stages that joined the run because of it; those of other targets run."""
    build, test = stage("build", image="i", run="x"), stage("test", image="i", run="x")
    deploy = on("prod", "deploy", after=[build])
    undo = stage("undo", image="i", run="x", when="failure", after=[deploy])
    undone = stage("undone", image="i", run="x", when="always", after=[build])
    tidy = stage("tidy", image="i", run="x", when="always", after=[deploy, test])
    notify = stage("notify", image="i", run="x", when="failure")
    pipeline = Pipeline("p", [build, test, deploy, undo, undone, tidy, notify])

    assert skipped_beforehand(pipeline, ON_MAIN, ["deploy", "test"]) == {
        "build": "only deploy needs it",
        "deploy": "the branch is main, and must match prod",
        "undo": "nothing runs that it comes after",
        "undone": "nothing runs that it comes after",
    }
    assert skipped_beforehand(run_of(pipeline, ["deploy"]), ON_MAIN, ["deploy"]).keys() == {
        "build", "deploy", "undo", "undone", "tidy", "notify"
    }  # fmt: skip


def test_a_condition_of_clean_up_holds_in_runs_of_targets() -> None:
    """A clean-up stage that joined a run is skipped by its own conditions, too."""
    notify = stage("notify", image="i", run="x", when=when(status="failure", branch=["prod"]))
    pipeline = run_of(Pipeline("p", [stage("build", image="i", run="x"), notify]), ["build"])

    assert skipped_beforehand(pipeline, ON_MAIN, ["build"]) == {"notify": "the branch is main, and must match prod"}


def test_the_rest_is_a_pipeline() -> None:
    """Without its skipped stages, a pipeline has the others, and no edges to skipped ones."""
    deploy = on("prod", "deploy")
    after = stage("after", image="i", run="x", after=[deploy])
    pipeline = Pipeline("p", [deploy, after], tags=["t"])

    rest = without(pipeline, {"deploy": "why"})

    assert [(one.name, one.needs) for one in rest] == [("after", ())]
    assert rest.tags == ("t",)
    assert without(pipeline, {}) is pipeline
