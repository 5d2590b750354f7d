"""A run takes up another one: what passed there is not run again, with or without `cache`. The engine is scripted."""

from __future__ import annotations

import json

import pytest

from dockercise_prefect.orchestration.run.options import Resume
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import Behaviour
from tests.orchestration.reuse.reuse_world import ReuseWorld, started, whys

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

WHOLE = (b"a value\n", b"content")

FAILING = "make: {run: make}\nbroken: {run: broken, after: make}\nuse: {run: use, env: make, vol: make, after: broken}\n"
MENDED = FAILING.replace("run: broken", "run: mended")


@pytest.fixture
def world(world: ReuseWorld) -> ReuseWorld:
    """`broken` fails."""
    world.engine.script("broken", Behaviour(exit_code=1))
    return world


def test_what_passed_is_not_run_again(world: ReuseWorld) -> None:
    """Only what failed there, or never started, runs; it sees what the others left there, and the message names the run."""
    failed = world.run(FAILING)

    resumed = world.run(MENDED, resume=Resume(run=world.record(failed)))

    assert failed.statuses["use"] is StageStatus.NOT_STARTED
    assert started(resumed) == {"broken", "use"}
    assert resumed.summary.stages["make"].message == f"reused from {failed.summary.run_id}"
    assert world.seen == [WHOLE]
    assert set(resumed.statuses.values()) == {StageStatus.PASSED, StageStatus.CACHED}


def test_a_resumed_run_can_be_resumed(world: ReuseWorld) -> None:
    """What it took from an earlier run is found there, although its own record has no bytes of it."""
    failed = world.run(FAILING)
    again = world.run(FAILING, resume=Resume(run=world.record(failed)))

    third = world.run(MENDED, resume=Resume(run=world.record(again)))

    assert started(again) == {"broken"}
    assert started(third) == {"broken", "use"}
    assert third.summary.stages["make"].reused_from == failed.summary.run_id
    assert world.seen == [WHOLE]


def test_what_changed_since_runs_and_says_why(world: ReuseWorld) -> None:
    """A stage that passed there, but is made from something else now, runs, and so does what its result changes."""
    failed = world.run(FAILING)

    changed = MENDED.replace("{run: make}", "{run: 'make # new'}")
    resumed = world.run(changed, resume=Resume(run=world.record(failed)))

    assert started(resumed) == {"make", "broken", "use"}
    assert whys(resumed) == ["make is not reused: its `run` changed"]


def test_stages_can_be_taken_as_they_were(world: ReuseWorld) -> None:
    """They are not run although they changed, and the message says what differs. A named stage runs in any case."""
    passed = world.run(MENDED)
    changed = MENDED.replace("{run: make}", "{run: 'make # new'}")

    how = Resume(run=world.record(passed), as_it_was=frozenset({"make", "broken"}), afresh=frozenset({"use"}))
    resumed = world.run(changed, resume=how)

    assert started(resumed) == {"use"}
    assert resumed.summary.stages["make"].message == f"reused from {passed.summary.run_id}, although its `run` changed"
    assert resumed.summary.stages["broken"].message == f"reused from {passed.summary.run_id}"
    assert world.seen == [WHOLE, WHOLE]


def test_secret_and_unknown_things_are_made_again(world: ReuseWorld) -> None:
    """A sensitive stage is not in the record, so it runs again; a stage after it is spared if it printed the same."""
    text = "secret: {run: make, noLog: true}\nafter: {run: x, env: secret, noLog: false}\nbroken: {run: broken, after: after}\n"
    failed = world.run(text)

    resumed = world.run(text, resume=Resume(run=world.record(failed)))

    assert started(resumed) == {"secret", "broken"}
    assert b"a value" not in world.stored()


def test_a_record_says_what_each_stage_was_made_from(world: ReuseWorld) -> None:
    """Digests are in the JSON of each stage that passed, beside its value; a stage that failed has none."""
    ran = world.run(FAILING)

    made, broken = (json.loads((ran.folder / f"{name}.json").read_text()) for name in ("make", "broken"))

    assert made["value"] == "a value"
    assert made["output_size"] == 8
    assert "run" in made["made_from"]["definition"]
    assert broken["made_from"] is None
