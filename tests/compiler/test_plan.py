"""How a change affects a pipeline, and what would run."""

from __future__ import annotations

from dockercise_prefect.compiler.plan import compare, work
from dockercise_prefect.pipeline import RunContext
from tests.compiler.sources import compiled

BEFORE = """
make: {img: x, run: make, triggers: [src/**]}
test: {img: x, run: test, vol: make}
ship: {img: x, run: ship, after: test, triggers: [ship.sh, "*.cfg"]}
old: {img: x}
"""


def test_difference_by_stage() -> None:
    """Stages are added, removed, changed in named fields, or affected through their needs."""
    after = BEFORE.replace("run: make", "run: make all, user: root").replace("old:", "new:")

    difference = compare(compiled(a=BEFORE), compiled(a=after))

    assert difference.added == ("new",)
    assert difference.removed == ("old",)
    assert difference.changed == {"make": ("run", "user")}
    assert difference.affected == {"test": "make", "ship": "test"}


def test_places_make_no_difference() -> None:
    """A stage that moved within a file or to another one is the same stage."""
    moved = compiled(z="# moved\n\n" + BEFORE)

    difference = compare(compiled(a=BEFORE), moved)

    assert (difference.added, difference.changed, difference.affected, difference.removed) == ((), {}, {}, ())


def test_without_a_past_everything_is_added() -> None:
    """If there was no pipeline, every stage is new and none is affected."""
    difference = compare(None, compiled(a=BEFORE))

    assert difference.added == ("make", "test", "ship", "old")
    assert difference.affected == {}


def test_targets_run_with_what_they_need() -> None:
    """A triggered stage runs because of a file, its needs run because of it, and nothing else runs."""
    planned = work(compiled(a=BEFORE), RunContext(changed=["ship.sh", "a.cfg", "README.md"]))

    assert list(planned.targets) == ["ship"]
    assert planned.reasons == {
        "make": "needed by test",
        "test": "needed by ship",
        "ship": "a.cfg matches *.cfg, and 1 more",
    }


def test_a_target_that_is_needed_too_has_its_own_reason() -> None:
    """A stage that is both a target and a need has its own file as the reason."""
    reasons = work(compiled(a=BEFORE), RunContext(changed=["src/a", "ship.sh"])).reasons

    assert reasons["make"] == "src/a matches src/**"


def test_no_match_runs_nothing() -> None:
    """If stages have triggers and no file matches, nothing would run."""
    assert work(compiled(a=BEFORE), RunContext(changed=["README.md"])).reasons == {}


def test_no_triggers_run_everything() -> None:
    """If no stage has triggers, everything would run."""
    assert list(work(compiled(a="a: {img: x}\nb: {img: x}\n"), RunContext(changed=[])).reasons) == ["a", "b"]


def test_clean_up_stages_of_a_run_have_their_own_reasons() -> None:
    """A clean-up stage that joins says what it comes after or uses, and is the reason for no other stage."""
    cleaning = """
drop: {img: x, run: drop, env: make, when: always}
told: {img: x, run: told, after: [ship, old], when: failure}
last: {img: x, run: last, when: {status: failure, branch: main}}
"""

    planned = work(compiled(a=cleaning + BEFORE), RunContext(changed=["src/a"], branch="main"))

    assert planned.reasons == {
        "make": "src/a matches src/**",
        "drop": "a clean-up stage that uses the value of make",
        "last": "a clean-up stage that comes after all ordinary stages",
    }
    shipped = work(compiled(a=cleaning + BEFORE), RunContext(changed=["ship.sh"], branch="try"))
    assert shipped.reasons["make"] == "needed by test"
    assert shipped.reasons["told"] == "a clean-up stage that comes after ship"
    assert shipped.skipped == {"last": "the branch is try, and must match main"}


def test_clean_up_stages_alone_are_no_work() -> None:
    """If no trigger matches, clean-up stages would not run either."""
    assert (
        work(compiled(a=BEFORE + "last: {img: x, run: last, when: always}\n"), RunContext(changed=["README.md"])).reasons == {}
    )
