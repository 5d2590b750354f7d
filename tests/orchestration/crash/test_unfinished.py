"""What is known about the process of a flow run that has not ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dockercise_prefect.orchestration.crash.unfinished import Fate, UnfinishedRun, fate
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign
from dockercise_prefect.runtime.cleanup.ownership import Sight

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SILENCE = 600.0
LONG_AGO = NOW - timedelta(seconds=SILENCE)
JUST_NOW = NOW - timedelta(seconds=SILENCE - 1)

RUN = UnfinishedRun(
    id="1",
    name="20261129T115000Z-7f3a",
    state="RUNNING",
    since=LONG_AGO,
    seen=JUST_NOW,
    run_count=1,
    is_deployed=False,
    tags=frozenset({"pipeline:shop"}),
    sign=Sign("owner", 1),
)


def known(run: UnfinishedRun, sight: Sight) -> Fate:
    """What is known about the run if its owner is seen like this."""
    return fate(run, NOW, SILENCE, lambda _owner: sight)


def test_a_dead_process_of_this_machine_is_dead_at_once() -> None:
    """A process that is dead for sure is dead, however short ago its last sign of life was."""
    assert known(RUN, Sight.DEAD) is Fate.DEAD


def test_a_living_process_of_this_machine_is_never_dead() -> None:
    """A process that is seen alive lives, even if Prefect got no sign of it for a long time."""
    assert known(replace(RUN, seen=LONG_AGO), Sight.ALIVE) is Fate.ALIVE


@pytest.mark.parametrize(("seen", "expected"), [(JUST_NOW, Fate.ALIVE), (LONG_AGO, Fate.SILENT)])
def test_a_process_of_another_machine_is_judged_by_its_signs(seen: datetime, expected: Fate) -> None:
    """A process that cannot be seen is alive until there was no sign of it for too long, and then only silent."""
    assert known(replace(RUN, seen=seen), Sight.UNKNOWN) is expected


def test_the_sign_of_an_earlier_attempt_says_nothing_about_this_one() -> None:
    """If a worker has begun the next attempt, the dead process of the earlier attempt does not count."""
    again = replace(RUN, run_count=2, is_deployed=True)

    assert known(again, Sight.DEAD) is Fate.ALIVE


def test_a_run_without_any_sign_is_left_alone() -> None:
    """A run of an older version gives no sign of life, so nothing is known about it. One that has just begun lives."""
    assert known(replace(RUN, sign=None, seen=LONG_AGO), Sight.UNKNOWN) is Fate.UNKNOWN
    assert known(replace(RUN, sign=None), Sight.UNKNOWN) is Fate.ALIVE


def test_a_run_that_never_began_is_silent_after_a_while() -> None:
    """`dockercise run` may die before its first sign of life. The run then stays pending, which never takes long."""
    pending = replace(RUN, state="PENDING", sign=None, run_count=0)

    assert known(pending, Sight.UNKNOWN) is Fate.ALIVE
    assert known(replace(pending, seen=LONG_AGO), Sight.UNKNOWN) is Fate.SILENT


def test_a_deployed_run_may_wait_for_its_process() -> None:
    """A worker may need hours until a pending run of a deployment has a process."""
    waiting = replace(RUN, state="PENDING", sign=None, run_count=0, is_deployed=True, seen=LONG_AGO)

    assert known(waiting, Sight.UNKNOWN) is Fate.ALIVE


def test_a_run_that_died_between_pending_and_running_is_dead() -> None:
    """The first sign of life comes before Running, so a run that dies in between is known to be dead."""
    pending = replace(RUN, state="PENDING", run_count=0)

    assert known(pending, Sight.DEAD) is Fate.DEAD


@pytest.mark.parametrize(
    "run", [replace(RUN, state="CANCELLING"), replace(RUN, state="PENDING", run_count=0, is_deployed=True)]
)
def test_others_get_time_to_end_what_they_have_in_hand(run: UnfinishedRun) -> None:
    """Whoever cancels a run, or a worker that starts it again, has as long as a silent run has."""
    assert known(replace(run, since=JUST_NOW), Sight.DEAD) is Fate.ALIVE
    assert known(replace(run, since=LONG_AGO), Sight.DEAD) is Fate.DEAD


@pytest.mark.parametrize(
    ("guardian", "seen", "expected"),
    [
        (Sight.ALIVE, JUST_NOW, Fate.ALIVE),
        (Sight.DEAD, JUST_NOW, Fate.DEAD),
        (Sight.UNKNOWN, JUST_NOW, Fate.ALIVE),
        (Sight.UNKNOWN, LONG_AGO, Fate.SILENT),
    ],
)
def test_a_run_with_a_guardian_is_dead_when_both_are(guardian: Sight, seen: datetime, expected: Fate) -> None:
    """While a guardian may finish the run, nobody else does."""
    run = replace(RUN, seen=seen, sign=Sign("owner", 1, guardian="guardian"))

    assert fate(run, NOW, SILENCE, {"owner": Sight.DEAD, "guardian": guardian}.__getitem__) is expected


def test_the_host_is_in_words() -> None:
    """The host comes from the sign of life."""
    assert replace(RUN, sign=Sign("box/m/b/n/1/2", 1)).host == "box"
    assert RUN.host == "an unknown machine"


def test_the_pipeline_is_in_the_tags() -> None:
    """The pipeline comes from the tags, and a flow run of others has none."""
    assert RUN.pipeline == "shop"
    assert not replace(RUN, tags=frozenset({"nightly"}), sign=None).is_ours
