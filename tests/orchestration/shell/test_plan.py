"""What a shell needs of a record, and what it says that the record does not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.shell.plan import planned
from dockercise_prefect.pipeline import (
    EngineVolume,
    HostPath,
    HostVariable,
    Mount,
    Pipeline,
    Stage,
    built_from,
    code,
    host,
    stage,
)
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.run_view import RunView, look
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import Recorded, ran

PASSED = ran(StageStatus.PASSED, 0, 1)
WHOLE = Kept(attempt=1, output_digest="sha256:aa", volume_digest="sha256:bb")
BUILD = stage("build", image="bb:1", run="make")


def view_of(tmp_path: Path, *stages: Stage, **kept: Kept | StageSummary) -> RunView:
    """The record of a run of these stages; for each, what is stored of it, or how it never ran. The last one ran."""
    record = Recorded(tmp_path, Pipeline("shop", stages))
    for one in stages:
        known = kept.get(one.name, WHOLE)
        summary = known if isinstance(known, StageSummary) else PASSED
        record.stage(one.name, summary)
        record.store.stage_ended(one.name, summary, known if isinstance(known, Kept) else Kept())
    record.end(RunStatus.PASSED)
    return look(RecordedRun(record.store.objects, "shop", record.run_id))


def test_only_what_is_mounted_is_restored(tmp_path: Path) -> None:
    """The volumes of a plan are those that the stage mounts or copies. Outputs are those of all stages that it needs."""
    other, base = stage("other", image="bb:1", run="x"), stage("base", image="bb:1", run="y")
    check = stage("check", image="bb:1", run="test", volumes=[BUILD.volume], on=base, after=[other])

    plan = planned(view_of(tmp_path, BUILD, other, base, check), "check", None)

    assert plan.volumes == {"build", "base"}
    assert {left.stage.name for left in plan.inputs["check"]} == {"build", "base", "other"}
    assert (plan.stage.depends_on, plan.stage.run, plan.lost) == ((), "test", {"check": {}})


def test_a_value_that_is_not_recorded_can_be_passed(tmp_path: Path) -> None:
    """The variable of a value that the record does not have comes from outside, and the plan says why."""
    token = stage("token", image="bb:1", run="t", no_log=True)
    check = stage("check", image="bb:1", run="test", env={"TOKEN": token.value})

    plan = planned(view_of(tmp_path, token, check, token=Kept(attempt=1)), "check", None)

    assert plan.stage.env == {"TOKEN": HostVariable("TOKEN")}
    assert plan.lost == {"check": {"TOKEN": "the value of token, which is not in the record: token has `noLog: true`"}}
    assert plan.notes[0] == "/out/token is empty: what token printed is not in the record: token has `noLog: true`"


def test_all_missing_inputs_are_named(tmp_path: Path) -> None:
    """Output that the script reads, a volume that it mounts, and an image that a stage left are an error that names them."""
    read, left = stage("read", image="bb:1", run="r"), stage("left", image="bb:1", run="l")
    check = stage("check", image=left, run="cat out/read", volumes=[BUILD.volume], after=[read])
    lost = Kept(attempt=1, output_digest="sha256:aa", left_out={"volume": "it contains something sensitive"})
    unread = Kept(attempt=1, volume_digest="sha256:bb", left_out={"output": "it contains a secret"})

    with pytest.raises(UsageError) as error:
        planned(view_of(tmp_path, BUILD, read, left, check, build=lost, read=unread), "check", None)

    assert error.value.message.splitlines()[1:] == [
        "  /out/read, what read printed: it contains a secret",
        "  /build, the volume of build: it contains something sensitive",
        "  the image that left left: images are not part of a record",
    ]


def test_a_volume_that_was_empty(tmp_path: Path) -> None:
    """A volume that is not in the record, for no reason, was empty. As long as the run goes on, nobody knows that."""
    check = stage("check", image="bb:1", run="test", volumes=[BUILD.volume])
    view = view_of(tmp_path, BUILD, check, build=Kept(attempt=1, output_digest="sha256:aa"))

    plan = planned(view, "check", None)

    assert [left.kept.volume_digest for left in plan.inputs["check"]] == [None]
    for summary in (None, replace(view.summary, error="results cannot be saved") if view.summary else None):
        with pytest.raises(UsageError, match="the volume of build: it is not stored: the run goes on, or ended in an error"):
            planned(replace(view, summary=summary), "check", None)


def test_names_that_begin_alike(tmp_path: Path) -> None:
    """A script that reads the output of `a-b` does not read that of `a`."""
    short, long = stage("a", image="bb:1", run="r"), stage("a-b", image="bb:1", run="r")
    check = stage("check", image="bb:1", run="cat out/a-b", after=[short], reads=[long])
    unread = Kept(attempt=1, volume_digest="sha256:bb", left_out={"output": "it contains a secret"})

    plan = planned(view_of(tmp_path, short, long, check, a=unread), "check", None)

    assert plan.notes[0] == "/out/a is empty: what a printed is not in the record: it contains a secret"


def test_a_stage_that_asked_one_that_never_started(tmp_path: Path) -> None:
    """A stage takes nothing from the stages that decide whether it runs, so they need not have run."""
    check = stage("check", image="bb:1", run="test", only_if=[BUILD])
    never = StageSummary(StageStatus.NOT_STARTED, message="not started: get failed")

    plan = planned(view_of(tmp_path, BUILD, check, build=never, check=never), "check", None)

    assert plan.inputs == {"check": []}


def test_a_stage_after_one_that_never_started(tmp_path: Path) -> None:
    """A stage that was not started, because an earlier one was not, has no volume to mount. A clean-up stage ran without it."""
    check = stage("check", image="bb:1", run="test", volumes=[BUILD.volume])
    never = StageSummary(StageStatus.NOT_STARTED, message="not started: get failed")

    with pytest.raises(UsageError, match="what build leaves: it never started"):
        planned(view_of(tmp_path / "1", BUILD, check, build=never, check=never), "check", None)
    plan = planned(view_of(tmp_path / "2", BUILD, check, build=never), "check", None)

    assert plan.inputs == {"check": []}
    assert plan.volumes == set()


def test_a_stage_that_has_not_ended(tmp_path: Path) -> None:
    """What a stage leaves that still runs is missing."""
    check = stage("check", image="bb:1", run="test", after=[BUILD])

    with pytest.raises(UsageError, match="what build leaves: it has not ended"):
        planned(view_of(tmp_path, BUILD, check, build=replace(PASSED, status=StageStatus.RUNNING)), "check", None)


@pytest.mark.parametrize(
    ("one", "why"), [(stage("joins"), "has no container"), (stage("image", build=built_from(code)), "only builds an image")]
)
def test_a_stage_without_a_container(tmp_path: Path, one: Stage, why: str) -> None:
    """There is no shell in a stage that starts no container."""
    with pytest.raises(UsageError, match=why):
        planned(view_of(tmp_path, one), one.name, None)


def test_the_builder_of_an_image_builds_it_again(tmp_path: Path) -> None:
    """The image of another stage's Dockerfile is built again, with what the build needs and nothing of that stage's script."""
    of_script, of_build = stage("of-script", image="bb:1", run="s"), stage("of-build", image="bb:1", run="b")
    image = stage(
        "image",
        build=built_from(of_build, secrets=["TOKEN"]),
        env={"TOKEN": host("TOKEN"), "OTHER": host("OTHER"), "VALUE": of_script.value},
        volumes=[of_script.volume],
        run="never",
    )
    check = stage("check", image=image, run="test")
    lost = Kept(attempt=1, left_out={"volume": "it contains something sensitive", "output": "it contains a secret"})

    plan = planned(view_of(tmp_path, of_script, of_build, image, check, **{"of-script": lost}), "check", None)

    assert [(one.name, one.run, list(one.env)) for one in plan.stages] == [("image", None, ["TOKEN"]), ("check", "test", [])]
    assert (plan.volumes, [left.stage.name for left in plan.inputs["image"]]) == (frozenset({"of-build"}), ["of-build"])
    assert plan.unlike[0] == "the image of image is built again, since images are not part of a record"


def test_what_is_of_this_machine_is_said(tmp_path: Path) -> None:
    """Folders of the machine and volumes of the engine are not in a record, and the user is told."""
    mounts = [Mount(HostPath("/srv/data"), "/data", "rw"), Mount(EngineVolume("cache"), "/cache", "rw")]
    check = stage("check", image="bb:1", run="test", volumes=mounts)

    notes = planned(view_of(tmp_path, check), "check", None).unlike

    assert notes[0] == "/data is the folder /srv/data as it is now, not as it was in the run"
    assert notes[1] == "/cache is the volume cache of this engine as it is now; it stays afterwards, as in a run"
