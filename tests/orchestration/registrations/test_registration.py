"""A registration as a label, and the times at which it runs by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.orchestration.registrations.timetable import Timetable, described

TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT.filter(bool)


@given(
    st.builds(
        Registration,
        url=TEXT,
        ref=MAYBE,
        credentials=MAYBE,
        host_keys=st.lists(TEXT, max_size=3).map(tuple),
        secrets=st.dictionaries(TEXT, TEXT, max_size=3),
        submodules=st.booleans(),
        lfs=st.booleans(),
        untrusted=st.booleans(),
        pushed_as=MAYBE,
        branches=st.lists(TEXT, max_size=3).map(tuple),
        webhook_secret=MAYBE,
        statuses=MAYBE,
        tags=st.lists(TEXT, max_size=3).map(tuple),
        pull_requests=st.sampled_from(PullRequests),
        runs_forks_unasked=st.booleans(),
    )
)
def test_a_label_gives_the_registration_back(registration: Registration) -> None:
    """Every registration can be read back from the deployment's label."""
    assert Registration.from_label(registration.to_label()) == registration


def test_labels_of_earlier_versions_and_for_them() -> None:
    """A label without tags can be read, and a registration that waits for no tags is written without them."""
    earlier = Registration.from_label('{"branches": ["main"], "url": "x"}')

    assert earlier == Registration(url="x", branches=("main",))
    assert earlier.to_label() == '{"branches": ["main"], "url": "x"}'


@pytest.mark.parametrize("label", ["", "null", "[]", "{}", '{"url": "x", "of_tomorrow": 1}', '{"url": "x", "branches": 1}'])
def test_a_label_of_another_making_is_said(label: str) -> None:
    """A label that was edited, or made by a newer version, is an error with a hint, and nothing is guessed."""
    with pytest.raises(UsageError, match="cannot be read") as refused:
        Registration.from_label(label)

    assert refused.value.hint


def test_a_timetable_is_what_prefect_takes() -> None:
    """A timetable has crons, intervals and rules, several of each, in one time zone, and can be shown in words."""
    timetable = Timetable(("0 3 * * *", "@daily"), ("90s", "1h30m"), ("FREQ=DAILY;BYHOUR=3",), "Europe/Berlin")

    schedules = timetable.schedules()

    assert [type(schedule) for schedule in schedules] == [*[CronSchedule] * 2, *[IntervalSchedule] * 2, RRuleSchedule]
    assert described(schedules) == (
        "cron `0 3 * * *` (Europe/Berlin), cron `@daily` (Europe/Berlin), every 1m30s, every 1h30m,"
        " rrule `FREQ=DAILY;BYHOUR=3` (Europe/Berlin)"
    )
    assert described([]) == "none"


@pytest.mark.parametrize(
    ("timetable", "said"),
    [
        (Timetable(crons=("often",)), "--cron: `often`"),
        (Timetable(crons=("* * * * *",), timezone="Berlin"), "--timezone: `Berlin`"),
        (Timetable(intervals=("0s",)), "--interval: `0s` is not a duration"),
        (Timetable(intervals=("soon",)), "--interval: `soon` is not a duration"),
        (Timetable(rrules=("FREQ=SOON",)), "--rrule: `FREQ=SOON`"),
    ],
)
def test_a_timetable_that_means_nothing_is_said(timetable: Timetable, said: str) -> None:
    """The error names the option and its value, with an example of a good one."""
    with pytest.raises(UsageError) as refused:
        timetable.schedules()

    assert said in str(refused.value)
    assert "such as `" in str(refused.value)
