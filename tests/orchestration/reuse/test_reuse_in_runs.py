"""Which stages of a run are reused, what they leave to others, and what is said about it. The engine is scripted."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus, StorageError
from dockercise_prefect.orchestration.prefect.secret_blocks import save_secret
from dockercise_prefect.orchestration.reuse.kept_results import KeptResults
from dockercise_prefect.orchestration.run.events import Notice
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.runtime.stage.job import Stdout
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import Behaviour
from tests.orchestration.reuse.reuse_world import ReuseWorld, started, whys
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

MAKE = "make: {run: make, cache: true}\n"
USE = "use: {run: use, env: make, vol: make}\n"
WHOLE = (b"a value\n", b"content")


def test_a_stage_is_reused_and_others_get_what_it_left(world: ReuseWorld) -> None:
    """In the second run it starts no container, and the stage that needs it sees the same bytes."""
    first = world.run(MAKE + USE)
    containers = len(world.engine.runs)

    second = world.run(MAKE + USE)

    made = second.summary.stages["make"]
    assert (made.status, made.reused_from) == (StageStatus.CACHED, first.summary.run_id)
    assert made.message == f"reused from {first.summary.run_id}"
    assert made.started is None
    assert (len(world.engine.runs) - containers, started(second)) == (1, {"use"})
    assert world.seen == [WHOLE, WHOLE]
    assert not world.engine.leftovers()


def test_nothing_is_prepared_for_a_stage_that_is_reused(world: ReuseWorld) -> None:
    """The engine gets no `/out` for it when the stage before it has ended."""
    text = "first: {run: make, network: none}\nmake: {run: make, cache: true, after: first, network: none}\n"
    world.run(text)
    before = len(world.engine.specs)

    ran = world.run(text)

    assert started(ran) == {"first"}
    assert [spec.command for spec in world.engine.specs[before:] if "loader" in spec.command] == []


def test_a_run_in_which_nothing_runs(world: ReuseWorld, prefect_api: str) -> None:
    """It passes, starts nothing, and has no task runs."""
    text = MAKE + "use: {run: use, env: make, vol: make, cache: true}\n"
    world.run(text)
    containers = len(world.engine.runs)

    ran = world.run(text)

    assert set(ran.statuses.values()) == {StageStatus.CACHED}
    assert ran.exit_status == ExitStatus.DONE
    assert len(world.engine.runs) == containers
    assert prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 0) == {}


def test_prefect_shows_a_reused_stage_that_another_needs(world: ReuseWorld, prefect_api: str) -> None:
    """It is Cached, and its message names the run that it is reused from. A reused stage that nobody needs has no task run."""
    first = world.run(MAKE + USE + "alone: {run: x, cache: true}\n")

    ran = world.run(MAKE + USE + "alone: {run: x, cache: true}\n")

    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 2)
    assert {name: task.state for name, task in tasks.items()} == {"make": "Cached", "use": "Completed"}
    assert first.summary.run_id in (tasks["make"].message or "")


def test_what_comes_out_the_same_stops_the_wave(world: ReuseWorld) -> None:
    """A stage runs because its script changed, but prints and leaves the same, so the stage after it is reused."""
    text = "use: {run: use, env: make, vol: make, cache: true}\n"
    world.run(MAKE + text)

    ran = world.run("make: {run: 'make # otherwise', cache: true}\n" + text)

    assert started(ran) == {"make"}
    assert whys(ran) == ["make is not reused: its `run` changed"]


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        ("env: {A: '1'}", "env: {A: '2'}", "$A differs"),
        ("env: {A: '1'}", "env: {A: '1', B: '2'}", "$B is set now"),
        ("run: x", "run: y", "its `run` changed"),
        ("user: '7'", "user: '8'", "its `user` changed"),
        ("cache: {salt: a}", "cache: {salt: b}", "the `salt` of its `cache` changed"),
        ("retries: 1", "retries: 2", None),
        ("timeout: 1m", "timeout: 2m", None),
    ],
)
def test_what_counts_and_what_does_not(world: ReuseWorld, then: str, now: str, why: str | None) -> None:
    """A stage runs again if what it is made from changed, and says what that is."""
    keys = "" if "cache" in now else ", cache: true"
    script = "" if "run" in now else ", run: x"
    world.run(f"a: {{{then}{keys}{script}}}")

    ran = world.run(f"a: {{{now}{keys}{script}}}")

    assert whys(ran) == ([] if why is None else [f"a is not reused: {why}"])
    assert started(ran) == ({"a"} if why else set())


def test_only_the_stages_of_a_changed_file_run(world: ReuseWorld) -> None:
    """A stage depends on the folders of the code that it mounts, and on the files that `also` names."""
    world.write(front__a="1", back__a="1", tools__lint="1", notes="1")
    text = (
        "front: {run: x, vol: 'code/front:/c', cache: true}\n"
        "back: {run: x, vol: 'code/back:/c', cache: true}\n"
        "also: {run: x, vol: 'code/back:/c', cache: {also: tools/**}}\n"
        "whole: {run: x, vol: 'code:/c', cache: true}\n"
    )
    world.run(text)

    world.write(front__a="2")
    front = world.run(text)
    world.write(tools__lint="2")
    tools = world.run(text)
    (world.root / "front/a").touch()
    nothing = world.run(text)

    assert started(front) == {"front", "whole"}
    assert sorted(whys(front)) == [
        "front is not reused: file front/a of the code changed",
        "whole is not reused: file front/a of the code changed",
    ]
    assert started(tools) == {"also", "whole"}
    assert "also is not reused: file tools/lint of the code changed" in whys(tools)
    assert started(nothing) == set()


def test_a_failed_stage_is_not_reused_and_a_success_at_a_retry_is(world: ReuseWorld) -> None:
    """Nothing is reused of a stage that failed, or whose failure is tolerated."""
    world.engine.script("flaky", Behaviour(exit_code=1), Behaviour())
    world.engine.script("broken", Behaviour(exit_code=1))
    text = (
        "flaky: {run: flaky, cache: true, retries: 1}\n"
        "broken: {run: broken, cache: true}\n"
        "lenient: {run: broken, cache: true, neverFail: true}\n"
    )
    world.run(text)

    assert started(world.run(text)) == {"broken", "lenient"}


def test_no_cache_runs_everything_and_keeps_it(world: ReuseWorld) -> None:
    """With `--no-cache`, all stages run, and later runs reuse what they left then."""
    world.run(MAKE)
    fresh = world.run(MAKE, no_cache=True)

    later = world.run(MAKE)

    assert started(fresh) == {"make"}
    assert whys(fresh) == []
    assert later.summary.stages["make"].reused_from == fresh.summary.run_id


def test_fail_on_miss_starts_nothing_that_might_be_reused(world: ReuseWorld) -> None:
    """With `--fail-on-miss`, a stage with `cache` that is not reused fails and says why; other stages run."""
    world.run(MAKE)

    ran = world.run("make: {run: 'make # new', cache: true}\nother: {run: x}\nnew: {run: x, cache: true}\n", fail_on_miss=True)

    stages = ran.summary.stages
    assert (stages["make"].status, stages["make"].message) == (StageStatus.FAILED, "not reused: its `run` changed")
    assert (stages["new"].status, stages["new"].message) == (StageStatus.FAILED, "not reused: it has not passed before")
    assert stages["other"].status is StageStatus.PASSED
    assert ran.exit_status == ExitStatus.STAGE_FAILED


def test_an_old_stage_runs_again(world: ReuseWorld) -> None:
    """`cache: 7d` is no reason to reuse what passed longer ago."""
    world.run("make: {run: make, cache: 1h}\n")
    (entries,) = (Path(world.settings.results) / ".cache/p").iterdir()

    young = world.run("make: {run: make, cache: 1h}\n")
    short = world.run("make: {run: make, cache: 0.001s}\n")

    assert entries.exists()
    assert started(young) == set()
    assert started(short) == {"make"}
    assert whys(short) == ["make is not reused: what it left is too old, or is not kept any more"]


def test_a_content_that_is_gone_is_made_again(world: ReuseWorld) -> None:
    """If the bytes were removed, the stage runs, and what comes after it is spared, because they come out the same."""
    text = MAKE + "use: {run: use, env: make, vol: make, cache: true}\n"
    world.run(text)
    for path in world.contents():
        path.unlink()

    assert started(world.run(text)) == {"make"}
    assert started(world.run(text)) == set()


def test_a_damaged_content_is_never_used(world: ReuseWorld) -> None:
    """It is thrown away, and the run says so. Whoever needs it gets what the record has; the next run makes it again."""
    first = world.run(MAKE)
    for path in world.contents():
        path.write_bytes(b"damaged")

    ran = world.run(MAKE + USE)
    next_one = world.run(MAKE + USE)

    said = [event.text for event in ran.events if isinstance(event, Notice) and "did not match its digest" in event.text]
    assert ran.statuses == {"make": StageStatus.CACHED, "use": StageStatus.PASSED}
    assert ran.summary.stages["make"].reused_from == first.summary.run_id
    assert len(said) == 2
    assert all(text.endswith("so it was removed; the record of the run that left it is read instead") for text in said)
    assert started(next_one) == {"make", "use"}
    assert world.seen == [WHOLE, WHOLE]


def test_a_damaged_content_that_no_record_has_is_never_used(world: ReuseWorld) -> None:
    """Whoever needs it fails; the next run makes it again."""
    first = world.run(MAKE)
    for path in world.contents():
        path.write_bytes(b"damaged")
    shutil.rmtree(first.folder)

    broken = world.run(MAKE + USE)
    next_one = world.run(MAKE + USE)

    assert broken.summary.stages["use"].status is StageStatus.ERROR
    assert started(next_one) == {"make", "use"}
    assert world.seen == [WHOLE]


def test_secrets_are_compared_but_not_stored(world: ReuseWorld) -> None:
    """A stage with a secret that prints nothing of it is reused as long as the secret is the same. No digest reveals it."""
    text, meta = "a: {run: x, env: TOKEN, noLog: false, cache: true}\n", "name: p, secrets: [TOKEN]"

    world.run(text, meta, flags={"TOKEN": "hunter2"})
    same = world.run(text, meta, flags={"TOKEN": "hunter2"})
    other = world.run(text, meta, flags={"TOKEN": "hunter3"})

    assert started(same) == set()
    assert (started(other), whys(other)) == ({"a"}, ["a is not reused: $TOKEN differs"])
    assert b"hunter2" not in world.stored()


def test_a_sensitive_stage_runs_and_what_comes_after_it_may_be_spared(world: ReuseWorld) -> None:
    """What it prints is compared by a keyed digest, and is not stored."""
    text = "secret: {run: make, noLog: true}\nafter: {run: x, env: secret, noLog: false, cache: true}\n"
    world.run(text)

    ran = world.run(text)

    assert started(ran) == {"secret"}
    assert b"a value" not in world.stored()


def test_the_record_of_a_run_has_what_its_reused_stages_left(world: ReuseWorld) -> None:
    """Readers get the output and the volume, also if only the record of the earlier run has them."""
    world.run(MAKE)
    ran = world.run(MAKE)
    record = world.record(ran)

    def both() -> tuple[bytes, list[str]]:
        return b"".join(record.output("make")), [member.name for member, content in record.volume("make") if list(content) or 1]

    kept = both()
    for path in world.contents():
        path.unlink()

    assert kept == both() == (b"a value\n", ["make", "make/file"])
    assert json.loads((ran.folder / "make.json").read_text())["reused_from"]


def test_an_untrusted_run_leaves_nothing(world: ReuseWorld) -> None:
    """Nobody reuses what an untrusted pipeline has left."""
    untrusted = replace(world.settings, untrusted=True)
    world.run(MAKE, settings=untrusted)

    assert started(world.run(MAKE, settings=untrusted)) == {"make"}
    assert started(world.run(MAKE)) == {"make"}


def test_a_place_that_cannot_be_read_makes_stages_run(world: ReuseWorld) -> None:
    """Reuse is no reason for a run to fail."""
    world.run(MAKE)
    cache = Path(world.settings.results) / ".cache"
    for path in cache.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0")

    assert world.run(MAKE).statuses == {"make": StageStatus.PASSED}


def test_a_place_that_refuses_to_be_read_makes_stages_run(world: ReuseWorld) -> None:
    """Each stage that might have been reused says why it runs."""
    text = MAKE + "other: {run: x, cache: true}\n"
    entries = Path(world.settings.results) / ".cache/p/20300101T000000Z-0000.json.zst"
    entries.parent.mkdir(parents=True)
    entries.symlink_to(entries.name)

    ran = world.run(text)

    assert ran.statuses == {"make": StageStatus.PASSED, "other": StageStatus.PASSED}
    assert [why.partition(":")[0] for why in sorted(whys(ran))] == ["make is not reused", "other is not reused"]
    assert all("what earlier runs left cannot be read" in why for why in whys(ran))


def test_a_stage_runs_whose_files_cannot_be_listed(world: ReuseWorld) -> None:
    """It says that the files are the reason, not what earlier runs have left."""
    (world.root / ".dockerciseignore").mkdir()

    ran = world.run("also: {run: x, cache: {also: '*.txt'}}")

    assert ran.statuses == {"also": StageStatus.PASSED}
    assert whys(ran) == ["also is not reused: what it is made from cannot be read: .dockerciseignore is not a file"]


def test_fail_on_miss_says_what_is_in_the_way(world: ReuseWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stage that can never be reused in this run does not say that it has not passed before."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    save_secret("token-of-reuse", "x")

    aws = world.run(MAKE, aws=True, fail_on_miss=True)
    secret = world.run("a: {run: x, env: TOKEN_OF_REUSE, cache: true}", fail_on_miss=True)

    assert aws.summary.stages["make"].message == "not reused: it gets your AWS folder, and with it whatever that opens"
    assert secret.summary.stages["a"].message == (
        "not reused: it is sensitive (its variable TOKEN_OF_REUSE is secret), so nothing of it is kept"
    )


def test_a_stage_that_is_sensitive_because_of_a_secret_block_says_so(world: ReuseWorld) -> None:
    """Nothing is wrong in its definition, so each run that runs it says why. With `--no-cache`, nobody wants to know."""
    save_secret("token-of-a-block", "x")
    text = (
        "a: {run: x, env: TOKEN_OF_A_BLOCK, cache: true}\nafter: {run: y, after: a, cache: true}\nfree: {run: z, cache: true}\n"
    )

    said = whys(world.run(text))
    silent = whys(world.run(text, no_cache=True))

    assert sorted(said) == [
        "a is not reused: it is sensitive (its variable TOKEN_OF_A_BLOCK is secret), so nothing of it is kept",
        "after is not reused: it is sensitive (it comes after a, which is sensitive), so nothing of it is kept",
    ]
    assert silent == []


def test_a_place_that_cannot_be_written_is_said_once(world: ReuseWorld) -> None:
    """The first stage that cannot be kept says why, and a line at the end names the others."""
    place = Path(world.settings.results) / ".cache"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    world.settings = replace(world.settings, jobs=1)

    ran = world.run("".join(f"s{number}: {{run: make, cache: true}}\n" for number in range(7)))

    said = [event.text for event in ran.events if isinstance(event, Notice) and "later runs cannot reuse" in event.text]
    assert set(ran.statuses.values()) == {StageStatus.PASSED}
    assert len(said) == 2
    assert said[0].startswith("later runs cannot reuse s")
    assert said[1].startswith("later runs cannot reuse 6 more stages either: s")
    assert said[1].endswith(" and 2 more")


def test_the_record_of_an_earlier_run_is_used_only_if_it_is_whole(world: ReuseWorld) -> None:
    """If only the record has what a stage printed, and it was changed there, nobody gets it."""
    first = world.run(MAKE)
    printed = KeptResults(FolderObjects(Path(world.settings.results)), "p", logging.warning)
    made = world.record(first).entry("make")
    assert made is not None
    stdout = Stdout(8, made.output_digest, "make.out", reused_from=first.summary.run_id)
    for path in world.contents():
        path.unlink()
    assert b"".join(printed.output(stdout)) == b"a value\n"
    (first.folder / "make.out").write_bytes(b"another\n")

    with pytest.raises(StorageError, match="does not match its digest"):
        b"".join(printed.output(stdout))
