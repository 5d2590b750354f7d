"""Stages that could be reused, but are run all the same and compared. The engine is scripted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.run.events import Notice
from dockercise_prefect.settings import Settings
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import Behaviour
from tests.orchestration.reuse.reuse_world import ReuseWorld, started, whys
from tests.orchestration.running import Ran

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

MAKE = "make: {run: make, cache: true}\n"
USE = "use: {run: use, env: make, vol: make, cache: true}\n"


@pytest.fixture
def every_one(settings: Settings) -> Settings:
    """The settings with which each stage that could be reused is run and compared."""
    return replace(settings, cache_audit=1)


def differences(ran: Ran) -> list[str]:
    """What the run said about stages that left something else."""
    return [event.text for event in ran.events if isinstance(event, Notice) and "left something else" in event.text]


def audit_of(ran: Ran, stage: str) -> object:
    """What the record says about a stage that was compared."""
    return json.loads((ran.folder / f"{stage}.json").read_text())["audit"]


def test_a_stage_that_leaves_the_same_is_only_recorded(world: ReuseWorld, every_one: Settings) -> None:
    """It runs, nothing is said, the record names the run that it was compared with, and later runs reuse it."""
    first = world.run(MAKE)

    audited = world.run(MAKE, settings=every_one)
    later = world.run(MAKE)

    assert audited.statuses == {"make": StageStatus.PASSED}
    assert (differences(audited), whys(audited)) == ([], [])
    assert audit_of(audited, "make") == {"run_id": first.summary.run_id, "difference": None}
    assert later.summary.stages["make"].reused_from == audited.summary.run_id
    assert later.summary.stages["make"].audit is None


@pytest.mark.parametrize(
    ("now", "difference"),
    [
        (Behaviour(stdout=b"another\n", writes={"/make/file": b"content"}), "what it printed differs"),
        (Behaviour(stdout=b"a value\n", writes={"/make/file": b"other"}), "its volume differs"),
        (Behaviour(stdout=b"another\n"), "what it printed differs and its volume differs"),
    ],
)
def test_a_difference_is_said_and_nothing_is_reused_any_more(
    world: ReuseWorld, every_one: Settings, now: Behaviour, difference: str
) -> None:
    """The line names both runs' difference, the record and the report have it, and the stage runs until it changes."""
    first = world.run(MAKE)
    world.engine.script("make", now)

    audited = world.run(MAKE, settings=every_one)
    again = [world.run(MAKE), world.run(MAKE)]
    world.run("make: {run: 'make # changed', cache: true}\n")
    changed = world.run("make: {run: 'make # changed', cache: true}\n")

    (said,) = differences(audited)
    assert said == (
        f"make left something else than in {first.summary.run_id}, although nothing that it is made from has changed: "
        f"{difference}; it is not reused any more until something that it is made from changes"
    )
    assert audit_of(audited, "make") == {"run_id": first.summary.run_id, "difference": difference}
    assert audited.summary.stages["make"].audit is not None
    assert f"compared with {first.summary.run_id}: {difference}" in (audited.folder / "report.html").read_text()
    why = f"it left something else in {audited.summary.run_id}, although nothing that it is made from had changed"
    assert [(started(ran), whys(ran)) for ran in again] == [({"make"}, [f"make is not reused: {why}"])] * 2
    assert started(changed) == set()


def test_what_comes_after_gets_the_new_content(world: ReuseWorld, every_one: Settings) -> None:
    """A stage after one that differs is made from something else, so it runs, and sees what was left now."""
    world.run(MAKE + USE)
    world.engine.script("make", Behaviour(stdout=b"another\n", writes={"/make/file": b"other"}))

    audited = world.run(MAKE + USE, settings=every_one)

    assert started(audited) == {"make", "use"}
    assert world.seen[-1] == (b"another\n", b"other")
    assert (audit_of(audited, "make") is None, audit_of(audited, "use")) == (False, None)


def test_a_failure_is_a_difference(world: ReuseWorld, every_one: Settings) -> None:
    """A stage that passed when it was made from the same, and fails now, is not reused any more."""
    world.run(MAKE)
    world.engine.script("make", Behaviour(stdout=b"a value\n", exit_code=3, writes={"/make/file": b"content"}))

    audited = world.run(MAKE, settings=every_one)

    assert audited.statuses == {"make": StageStatus.FAILED}
    assert "it ended with exit code 3; it is not reused" in "".join(differences(audited))
    assert started(world.run(MAKE)) == {"make"}


def test_others_cannot_bring_it_back(world: ReuseWorld, every_one: Settings) -> None:
    """What a run on another machine stores later, which did not know that, is not reused either."""
    world.run(MAKE)
    (entries,) = (Path(world.settings.results) / ".cache/p").glob("*.json.zst")
    world.engine.script("make", Behaviour(stdout=b"another\n"))
    world.run(MAKE, settings=every_one)

    (entries.parent / "20990101T000000Z-abcd.json.zst").write_bytes(entries.read_bytes())

    assert started(world.run(MAKE)) == {"make"}


def test_an_audited_stage_is_no_miss(world: ReuseWorld, every_one: Settings) -> None:
    """With `--fail-on-miss` it runs, because it could be reused."""
    world.run(MAKE)

    ran = world.run(MAKE, settings=every_one, fail_on_miss=True)

    assert ran.statuses == {"make": StageStatus.PASSED}


def test_an_untrusted_run_withdraws_nothing(world: ReuseWorld, every_one: Settings) -> None:
    """A pipeline that nobody trusts must not decide what others may reuse: it compares nothing."""
    text = "make: {run: make, cache: true, cpus: 1, memory: 512m}\n"  # within the limits of untrusted pipelines
    world.run(text)
    world.engine.script("make", Behaviour(stdout=b"another\n"))

    ran = world.run(text, settings=replace(every_one, untrusted=True))

    assert started(ran) == started(world.run(text)) == set()


def test_a_place_that_cannot_be_written_is_named(world: ReuseWorld, every_one: Settings) -> None:
    """If the reuse cannot be withdrawn, the user knows that later runs may still reuse it."""
    world.run(MAKE)
    folder = Path(world.settings.results) / ".cache/p"
    world.engine.script("make", Behaviour(stdout=b"another\n", action=lambda _: _made_a_file(folder)))

    ran = world.run(MAKE, settings=every_one)

    said = "later runs may still reuse make, because its reuse cannot be withdrawn: "
    assert any(isinstance(event, Notice) and event.text.startswith(said) for event in ran.events)


def _made_a_file(folder: Path) -> None:
    """Replace a folder by a file, so that not even root can write into it."""
    folder.rename(folder.with_name("away"))
    folder.write_text("")
