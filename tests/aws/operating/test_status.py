"""Status: numbers that need no AWS."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dockercise_prefect.aws.operating.sleep import work
from dockercise_prefect.aws.operating.status import cost_of, part_of_month
from dockercise_prefect.aws.report import Phase, Report, ReportedRun

OLD = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "since", "part"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), OLD, 0),
        (datetime(2026, 11, 16, tzinfo=UTC), OLD, 0.5),
        (datetime(2026, 11, 16, tzinfo=UTC), datetime(2026, 11, 13, tzinfo=UTC), 0.1),
        (datetime(2026, 11, 16, tzinfo=UTC), datetime(2026, 11, 17, tzinfo=UTC), 0),
    ],
)
def test_part_of_the_month(now: datetime, since: datetime, part: float) -> None:
    """A stack costs something from the day on which it was made."""
    assert part_of_month(now, since) == pytest.approx(part)


def test_cost_of_a_stack() -> None:
    """The cost is that of both disks, and of the alarms if somebody gets them."""
    disks = {"RootGiB": "16", "DiskGiB": "40"}
    without, with_alarms = (cost_of(disks | {"Email": to}, "us-east-1", "t3.medium") for to in ("", "me@example.org"))

    assert without is not None
    assert with_alarms is not None
    assert without.asleep_month == pytest.approx(56 * 0.08)
    assert with_alarms.asleep_month == pytest.approx(56 * 0.08 + 0.3)
    assert cost_of(disks, "xx-north-9", "t3.medium") is None


def test_work_in_words() -> None:
    """Everything that keeps a host awake is named; a host that has reported nothing has no work but the queue."""
    report = Report(phase=Phase.WORKING, runs=(ReportedRun("r1", "infra/infra", "PENDING"),), inbox=1, unsent=2)

    assert list(work(report, 3)) == [
        "infra/infra is pending (flow run r1)",
        "3 pushes in the queue",
        "1 push in its inbox",
        "2 records not yet in the bucket",
    ]
    assert list(work(None, 1)) == ["1 push in the queue"]
    assert list(work(Report(phase=Phase.IDLE), 0)) == []
