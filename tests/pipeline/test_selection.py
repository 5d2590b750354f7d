"""Which stages a run of some targets has, and which clean-up stages belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.pipeline import DependencyKind, Pipeline, Stage, digest_of, from_json, stage, to_json, when
from dockercise_prefect.pipeline.selection import awaited_by_the_last, run_of

CLEANING = ("always", "failure")

many = settings(max_examples=400)
"""These take no time."""


def sh(name: str, **keys: Any) -> Stage:
    return stage(name, image="i", run="x", **keys)


BUILD, TEST = sh("build"), sh("test")
SHIP = sh("ship", after=[BUILD])


def joins(cleaning: Stage, targets: Sequence[str], *, others: Sequence[Stage] = ()) -> bool:
    """Whether a clean-up stage is in the run of some targets of a pipeline with `build`, `test`, and `ship` after `build`."""
    return cleaning.name in run_of(Pipeline("p", [BUILD, TEST, SHIP, *others, cleaning]), targets).by_name


@pytest.mark.parametrize("status", CLEANING)
def test_a_clean_up_stage_without_edges_joins_every_run(status: str) -> None:
    """A clean-up stage that comes after all ordinary stages joins a run with any of them."""
    notify = sh("notify", when=status)

    assert joins(notify, ["build"])
    assert joins(notify, ["test"])
    assert joins(notify, ["ship"])


@pytest.mark.parametrize("status", CLEANING)
def test_a_clean_up_stage_joins_what_it_comes_after(status: str) -> None:
    """A clean-up stage joins a run that has the stage that it comes after, also if that one is only needed; no other run."""
    clean = sh("clean", when=status, after=[BUILD])

    assert joins(clean, ["build"])
    assert joins(clean, ["ship"])
    assert not joins(clean, ["test"])


def test_one_of_several_is_enough_for_after() -> None:
    """A clean-up stage `after` several stages joins a run that has one of them, and comes after that one alone."""
    notify = sh("notify", when="failure", after=[BUILD, TEST])
    pipeline = Pipeline("p", [BUILD, TEST, notify])

    run = run_of(pipeline, ["test"])

    assert [(one.name, one.needs) for one in run] == [("test", ()), ("notify", ("test",))]
    assert run_of(pipeline, ["build", "test"]).stages == pipeline.stages


USES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "env": lambda used: {"env": {"A": used.value}},
    "vol": lambda used: {"volumes": [used.volume]},
    "on": lambda used: {"on": used},
    "out": lambda used: {"reads": [used]},
    "if": lambda used: {"only_if": [used]},
    "unless": lambda used: {"unless": [used]},
}


@pytest.mark.parametrize("kind", USES)
def test_everything_that_is_used_must_be_there(kind: str) -> None:
    """A clean-up stage joins only if the run has what it uses; otherwise it would have nothing to work with."""
    clean = sh("clean", when="always", after=[TEST], **USES[kind](BUILD))

    assert joins(clean, ["build", "test"])
    assert joins(clean, ["build"])
    assert not joins(clean, ["test"])


def test_the_image_of_a_stage_must_be_there() -> None:
    """A clean-up stage in the image of a stage joins only a run with that stage."""
    clean = stage("clean", image=BUILD, run="x", when="always", after=[TEST])

    assert joins(clean, ["ship", "test"])
    assert not joins(clean, ["test"])


def test_clean_up_stages_join_after_each_other() -> None:
    """A clean-up stage after another one joins with it, unless it also names ordinary stages and the run has none of them."""
    stop = sh("stop", when="always", after=[BUILD])
    told = sh("told", when="always", after=[stop])
    drop = sh("drop", when="always", after=[stop, TEST])

    assert joins(told, ["build"], others=[stop])
    assert not joins(told, ["test"], others=[stop])
    assert not joins(drop, ["build"], others=[stop])
    assert joins(drop, ["test"], others=[stop])


def test_an_ordinary_stage_never_joins() -> None:
    """An ordinary stage after a clean-up stage is in no run that did not ask for it."""
    stop = sh("stop", when="always", after=[BUILD])
    later = sh("later", after=[stop])

    assert [one.name for one in run_of(Pipeline("p", [BUILD, stop, later]), ["build"])] == ["build", "stop"]


def test_a_clean_up_stage_as_a_target_brings_what_it_needs() -> None:
    """A clean-up stage that is named keeps all its edges; further clean-up stages join as with any other target."""
    clean = sh("clean", when="always", after=[BUILD, TEST])
    notify = sh("notify", when="failure")
    pipeline = Pipeline("p", [BUILD, TEST, SHIP, clean, notify])

    assert [one.name for one in run_of(pipeline, ["clean"])] == ["build", "test", "clean", "notify"]
    assert run_of(pipeline, ["clean"]).by_name["clean"] == clean


def test_without_ordinary_stages_nothing_joins_by_itself() -> None:
    """A clean-up stage without edges that runs alone takes no other one with it; there is nothing to clean up."""
    notify, clean = sh("notify", when="failure"), sh("clean", when="always")

    assert [one.name for one in run_of(Pipeline("p", [BUILD, notify, clean]), ["clean"])] == ["clean"]


def test_what_comes_later_is_not_awaited() -> None:
    """A clean-up stage without edges does not join for the sake of a stage that comes after such clean-up stages."""
    clean, notify = sh("clean", when="always"), sh("notify", when="failure")
    late = sh("late", after=[clean])
    pipeline = Pipeline("p", [BUILD, clean, notify, late])

    assert awaited_by_the_last(pipeline) == {"build"}
    assert [one.name for one in run_of(pipeline, ["late"])] == ["clean", "late"]


def test_conditions_are_not_asked_yet() -> None:
    """A clean-up stage with a condition joins as if the condition held; whether it holds is decided when the run begins."""
    assert joins(sh("notify", when=when(status="failure", branch=["main"])), ["build"])
    assert not joins(sh("deploy", when=when(branch=["main"])), ["build"])


def test_without_targets_it_is_the_whole_pipeline() -> None:
    """A run without targets has all stages with all edges."""
    pipeline = Pipeline("p", [BUILD, TEST, sh("clean", when="always", after=[BUILD, TEST])])

    assert run_of(pipeline, []) is pipeline


def test_unknown_targets_are_refused() -> None:
    """A target that is not a stage is reported, as everywhere."""
    with pytest.raises(DefinitionError, match="biuld"):
        run_of(Pipeline("p", [BUILD]), ["biuld"])


def test_the_rest_of_the_pipeline_is_kept() -> None:
    """What is set for the whole pipeline holds for a run of some targets; the digest is that of a part, so it is unknown."""
    asked = sh("asked")
    pipeline = Pipeline("p", [BUILD, asked, sh("yes", only_if=[asked])], ["t"], ["S"], "sha256:0", timeout=9, cleanup_grace=3)

    run = run_of(pipeline, ["build", "asked"])

    assert (run.tags, run.secrets, run.timeout, run.cleanup_grace, run.digest) == (("t",), ("S",), 9, 3, None)
    assert run.answers == ("asked",)


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Random pipelines with several kinds of edges, mostly `after`; about half of their stages clean up."""
    stages: list[Stage] = []
    for number in range(draw(st.integers(1, 9))):
        some = st.lists(st.sampled_from(stages), unique_by=lambda one: one.name, max_size=3) if stages else st.just([])
        used = draw(some)
        uses: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {},
                    {},
                    {},
                    {"only_if": used},
                    {"env": {f"V{index}": one.value for index, one in enumerate(used)}},
                    {"volumes": [one.volume for one in used]},
                    {"image": used[0] if used else "i"},
                ]
            )
        )
        status = draw(st.sampled_from(["success", "success", *CLEANING]))
        stages.append(stage(f"s{number}", run="x", after=draw(some), when=status, **{"image": "i"} | uses))
    return Pipeline("p", stages)


@st.composite
def choices(draw: st.DrawFn) -> tuple[Pipeline, list[str], list[str]]:
    """A pipeline, some targets, and further ones."""
    pipeline = draw(pipelines())
    names = st.sampled_from(list(pipeline.by_name))
    return pipeline, draw(st.lists(names, unique=True, min_size=1, max_size=3)), draw(st.lists(names, max_size=3))


@many
@given(choices())
def test_no_ordinary_stage_is_brought_along(choice: tuple[Pipeline, list[str], list[str]]) -> None:
    """A run has the targets and all that they need unchanged, and otherwise nothing but clean-up stages."""
    pipeline, targets, _ = choice
    needed = pipeline.only(targets).by_name

    run = run_of(pipeline, targets).by_name

    assert needed.items() <= run.items()
    assert all(one.when.cleans_up for name, one in run.items() if name not in needed)


@many
@given(choices())
def test_a_clean_up_stage_joins_by_the_rule_alone(choice: tuple[Pipeline, list[str], list[str]]) -> None:
    """A clean-up stage that is not needed is in a run exactly if all that it uses is, and one ordinary stage that it names."""
    pipeline, targets, _ = choice
    needed, run = pipeline.only(targets).by_name, run_of(pipeline, targets).by_name

    for one in pipeline:
        if not one.when.cleans_up or one.name in needed:
            continue
        if not one.depends_on:
            assert (one.name in run) == any(_comes_before_the_last(pipeline, other) for other in run.values())
            continue
        used = {edge.stage for edge in one.depends_on if edge.kind is not DependencyKind.AFTER}
        ordinary = {name for name in one.needs if not pipeline.by_name[name].when.cleans_up}
        assert (one.name in run) == (used <= run.keys() and not run.keys().isdisjoint(ordinary or one.needs))


def _comes_before_the_last(pipeline: Pipeline, one: Stage) -> bool:
    """Whether an ordinary stage depends on no clean-up stage without edges, directly or not."""
    before = pipeline.only([one.name])
    return not one.when.cleans_up and all(other.depends_on or not other.when.cleans_up for other in before)


@many
@given(choices())
def test_a_run_is_a_pipeline_with_the_edges_of_its_stages(choice: tuple[Pipeline, list[str], list[str]]) -> None:
    """Only `after` edges of joining stages to stages outside the run are left out, and no joining stage loses all its edges."""
    pipeline, targets, _ = choice

    run = run_of(pipeline, targets)

    for one in run:
        whole = pipeline.by_name[one.name]
        left_out = [edge for edge in whole.depends_on if edge not in one.depends_on]
        assert one.depends_on == tuple(edge for edge in whole.depends_on if edge.stage in run.by_name)
        assert all(edge.kind is DependencyKind.AFTER for edge in left_out)
        assert bool(one.depends_on) == bool(whole.depends_on)
    assert [one.name for one in run] == [name for name in pipeline.by_name if name in run.by_name]
    assert digest_of(from_json(to_json(run))) == digest_of(run)


@many
@given(choices())
def test_a_smaller_run_is_a_part_of_a_larger_one(choice: tuple[Pipeline, list[str], list[str]]) -> None:
    """More targets only add stages, and a part of a run is the run of these targets: selecting twice is selecting once."""
    pipeline, targets, more = choice

    smaller, larger = run_of(pipeline, targets), run_of(pipeline, [*targets, *more])

    assert smaller.by_name.keys() <= larger.by_name.keys()
    assert run_of(larger, targets) == smaller
