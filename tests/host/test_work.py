"""Whether the host stays awake."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.host.work import WAKE_EARLY_SECONDS, Facts, Sleep, Stay, decide

NOW = 1_000_000
IDLE = 600
NOTHING = Facts(now=NOW)
LONG_AGO = NOW - 10 * IDLE


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(now=NOW, runs=1), "1 run has not ended"),
        (Facts(now=NOW, runs=1200), "1,200 runs have not ended"),
        (Facts(now=NOW, queued=2), "2 pushes are in the queue"),
        (Facts(now=NOW, inbox=1), "1 push waits for Prefect or git"),
        (Facts(now=NOW, statuses=1), "1 commit status is not sent"),
        (Facts(now=NOW, unsent=3), "3 records are not in the bucket"),
        (Facts(now=NOW, unregistered=1), "1 repository is not registered yet"),
        (Facts(now=NOW, next_schedule=NOW + IDLE + WAKE_EARLY_SECONDS), "a scheduled run is due in 12 minutes"),
        (Facts(now=NOW, next_schedule=NOW - 5), "a scheduled run is due in a minute"),
        (Facts(now=NOW, awake_until=NOW + 90), "somebody wants the host to be awake for 2 minutes more"),
        (Facts(now=NOW, unknown=("Prefect does not answer",)), "Prefect does not answer"),
    ],
)
def test_each_kind_of_work_keeps_the_host_awake(facts: Facts, reason: str) -> None:
    """With any work left, the host stays awake however long it was idle, says why, and the idle time begins anew."""
    assert decide(facts, LONG_AGO, IDLE) == Stay((reason,), None)


def test_all_reasons_are_said() -> None:
    """If there are several reasons, all of them are said."""
    found = decide(Facts(now=NOW, runs=1, queued=1), LONG_AGO, IDLE)

    assert found == Stay(("1 run has not ended", "1 push is in the queue"), None)


def test_the_idle_time_begins_with_the_first_look_without_work() -> None:
    """When work has ended, the host stays awake for the idle time, counted from now."""
    assert decide(NOTHING, None, IDLE) == Stay(("nothing is left to do; it sleeps in 10 minutes",), NOW)


def test_the_host_waits_until_the_idle_time_is_over() -> None:
    """One second before the idle time is over, the host is awake; then it sleeps."""
    assert decide(NOTHING, NOW - IDLE + 1, IDLE) == Stay(("nothing is left to do; it sleeps in a minute",), NOW - IDLE + 1)
    assert decide(NOTHING, NOW - IDLE, IDLE) == Sleep(None)


def test_a_clock_that_was_set_back_counts_from_now() -> None:
    """If idle time began in the future, it begins now."""
    assert decide(NOTHING, NOW + 5000, IDLE) == Stay(("nothing is left to do; it sleeps in 10 minutes",), NOW)


def test_the_host_wakes_before_the_next_schedule() -> None:
    """A schedule that is due after the idle time lets the host sleep until two minutes before."""
    due = NOW + IDLE + WAKE_EARLY_SECONDS + 1

    assert decide(replace(NOTHING, next_schedule=due), LONG_AGO, IDLE) == Sleep(due - 120)


_COUNTS = st.integers(0, 3)
_MOMENTS = st.integers(NOW - 7200, NOW + 7200)


@given(
    facts=st.builds(
        Facts,
        now=st.just(NOW),
        runs=_COUNTS,
        queued=_COUNTS,
        inbox=_COUNTS,
        statuses=_COUNTS,
        unsent=_COUNTS,
        unregistered=_COUNTS,
        next_schedule=st.none() | _MOMENTS,
        awake_until=st.just(0) | _MOMENTS,
        unknown=st.just(()) | st.just(("SQS does not answer",)),
    ),
    idle_since=st.none() | _MOMENTS,
    idle_seconds=st.integers(1, 3600),
)
def test_the_host_never_sleeps_with_work_left(facts: Facts, idle_since: int | None, idle_seconds: int) -> None:
    """Whatever the facts are: asleep means that no work is left or unknown, and that it wakes before the next schedule."""
    decision = decide(facts, idle_since, idle_seconds)

    if isinstance(decision, Sleep):
        assert not facts.unknown
        assert facts.runs + facts.queued + facts.inbox + facts.statuses + facts.unsent + facts.unregistered == 0
        assert facts.awake_until <= NOW
        assert idle_since is not None
        assert idle_since + idle_seconds <= NOW
        if facts.next_schedule is None:
            assert decision.wake_at is None
        else:
            assert decision.wake_at is not None
            assert NOW < decision.wake_at < facts.next_schedule
    else:
        assert decision.reasons
