"""A run takes up another one: what passed there is not run again, with or without `cache`. The engine is scripted."""

from __future__ import annotations

import json

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.reuse.resume import Resume, earlier_attempts, passed_in
from dockercise_prefect.results.reading.records import Records
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

    resumed = world.run(MENDED, resume=Resume(runs=[passed_in(world.record(failed))]))

    assert failed.statuses["use"] is StageStatus.NOT_STARTED
    assert started(resumed) == {"broken", "use"}
    assert resumed.summary.stages["make"].message == f"reused from {failed.summary.run_id}"
    assert world.seen == [WHOLE]
    assert set(resumed.statuses.values()) == {StageStatus.PASSED, StageStatus.CACHED}


def test_a_resumed_run_can_be_resumed(world: ReuseWorld) -> None:
    """What it took from an earlier run is found there, although its own record has no bytes of it."""
    failed = world.run(FAILING)
    again = world.run(FAILING, resume=Resume(runs=[passed_in(world.record(failed))]))

    third = world.run(MENDED, resume=Resume(runs=[passed_in(world.record(again))]))

    assert started(again) == {"broken"}
    assert started(third) == {"broken", "use"}
    assert third.summary.stages["make"].reused_from == failed.summary.run_id
    assert world.seen == [WHOLE]


def test_what_changed_since_runs_and_says_why(world: ReuseWorld) -> None:
    """A stage that passed there, but is made from something else now, runs, and so does what its result changes."""
    failed = world.run(FAILING)

    changed = MENDED.replace("{run: make}", "{run: 'make # new'}")
    resumed = world.run(changed, resume=Resume(runs=[passed_in(world.record(failed))]))

    assert started(resumed) == {"make", "broken", "use"}
    assert whys(resumed) == ["make is not reused: its `run` changed"]


def test_stages_can_be_taken_as_they_were(world: ReuseWorld) -> None:
    """They are not run although they changed, and the message says what differs. A named stage runs in any case."""
    passed = world.run(MENDED)
    changed = MENDED.replace("{run: make}", "{run: 'make # new'}")

    how = Resume(runs=[passed_in(world.record(passed))], as_it_was=frozenset({"make", "broken"}), afresh=frozenset({"use"}))
    resumed = world.run(changed, resume=how)

    assert started(resumed) == {"use"}
    assert resumed.summary.stages["make"].message == f"reused from {passed.summary.run_id}, although its `run` changed"
    assert resumed.summary.stages["broken"].message == f"reused from {passed.summary.run_id}"
    assert world.seen == [WHOLE, WHOLE]


def test_secret_and_unknown_things_are_made_again(world: ReuseWorld) -> None:
    """A sensitive stage is not in the record, so it runs again; a stage after it is spared if it printed the same."""
    text = "secret: {run: make, noLog: true}\nafter: {run: x, env: secret, noLog: false}\nbroken: {run: broken, after: after}\n"
    failed = world.run(text)

    resumed = world.run(text, resume=Resume(runs=[passed_in(world.record(failed))]))

    assert started(resumed) == {"secret", "broken"}
    assert whys(resumed) == ["secret is not reused: it is sensitive (its `noLog` says so), so nothing of it is kept"]
    assert b"a value" not in world.stored()


def test_a_stage_is_looked_for_in_each_run(world: ReuseWorld) -> None:
    """What did not pass in the first of several runs, or changed since, is taken from the next."""
    other = "make: {run: make}\nuse: {run: 'make # of old', after: make}\n"
    runs = [passed_in(world.record(world.run(text))) for text in (FAILING, other, other.replace("old", "new"))]

    resumed = world.run(other.replace("old", "new"), resume=Resume(runs=runs))

    assert started(resumed) == set()
    assert [stage.reused_from for stage in resumed.summary.stages.values()] == [runs[0].run_id, runs[2].run_id]


@pytest.mark.parametrize("lost", ["make.out", "make.tar.zst"])
def test_what_a_killed_run_could_not_store_is_made_again(lost: str, world: ReuseWorld) -> None:
    """A record without an end may lack what a stage left, although its JSON is there. That stage runs again, and says so."""
    killed = world.run(FAILING)
    for name in ("summary.json", lost):
        (killed.folder / name).unlink()

    resumed = world.run(MENDED, resume=Resume(runs=[passed_in(world.record(killed))]))

    assert started(resumed) == {"make", "broken", "use"}
    assert whys(resumed) == [f"make is not reused: {killed.summary.run_id} does not have all that it left"]
    assert world.seen == [WHOLE]


def test_a_volume_that_could_not_be_stored_is_made_again(world: ReuseWorld) -> None:
    """A stage passed, but its volume did not reach the record: nothing of it is taken from there."""
    world.engine.fail("get", EngineError("no answer"))
    failed = world.run(FAILING)

    resumed = world.run(MENDED, resume=Resume(runs=[passed_in(world.record(failed))]))

    assert failed.summary.error == "the volume of make is not in the results: no answer"
    assert started(resumed) == {"make", "broken", "use"}
    assert whys(resumed) == [f"make is not reused: {failed.summary.run_id} does not say what it was made from"]
    assert world.seen == [WHOLE]


def test_attempts_of_a_flow_run_are_found(world: ReuseWorld) -> None:
    """Only records of that flow run, newest first, back to the last one that passed."""
    ran = [world.run(text) for text in (MENDED, FAILING)]
    records = Records(world.record(ran[0]).objects, "p")

    def found(flow_run_id: str | None, tail: str, of: Records = records) -> list[str]:
        return [run.run_id for run in earlier_attempts(of, str(flow_run_id), tail)]

    passed, failed = (one.summary for one in ran)
    assert found(failed.flow_run_id, failed.run_id[-4:]) == [failed.run_id]
    assert not found(passed.flow_run_id, passed.run_id[-4:])
    assert not found("another", failed.run_id[-4:])
    assert not found(failed.flow_run_id, failed.run_id[-4:], Records(world.record(ran[0]).objects, "q"))


def test_a_record_says_what_each_stage_was_made_from(world: ReuseWorld) -> None:
    """Digests are in the JSON of each stage that passed, beside its value; a stage that failed has none."""
    ran = world.run(FAILING)

    made, broken = (json.loads((ran.folder / f"{name}.json").read_text()) for name in ("make", "broken"))

    assert made["value"] == "a value"
    assert made["output_size"] == 8
    assert "run" in made["made_from"]["definition"]
    assert broken["made_from"] is None
