"""What a stack costs, asleep and awake, from a table of AWS's prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

HOURS_OF_MONTH = 730
"""As AWS's price pages count a month."""

ALARMS = 3
"""Dead letters, a host that is awake for too long, a disk that is nearly full."""

METRICS = 2
"""AwakeMinutes and DiskUsedPercent. CloudWatch charges for the hours in which they are sent: only while the host is awake."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stack costs, in US dollars without taxes, transfer, storage of records and logs.

    Attributes:
        asleep_month: for a month in which the host sleeps: its disks, and the alarms.
        awake_hour: more for each hour in which the host is awake; None if the price of the instance type is not in the table.
    """

    asleep_month: float
    awake_hour: float | None

    def so_far(self, month: float, awake_hours: float) -> float | None:
        """What was spent in this month.

        Args:
            month: how much of the month has passed, from 0 to 1.
            awake_hours: for how many hours the host was awake.
        """
        return None if self.awake_hour is None else self.asleep_month * month + self.awake_hour * awake_hours


@dataclass(frozen=True, slots=True)
class Prices:
    """AWS's prices on demand in one region, in US dollars.

    Attributes:
        date: the month in which they were looked up, such as `2026-11`.
        disk_month: a GiB of a disk (gp3).
        bucket_month: a GB of a bucket.
        instance_hours: the instance types that are known, by name.
    """

    date: str
    disk_month: float
    bucket_month: float
    address_hour: float
    alarm_month: float
    metric_month: float
    instance_hours: Mapping[str, float]

    def cost(self, instance_type: str, disks_gib: int, alarms: int = 0) -> Cost:
        """What a stack costs whose host is of that type and has disks of that size in all, with a number of alarms."""
        asleep = disks_gib * self.disk_month + alarms * self.alarm_month
        instance = self.instance_hours.get(instance_type)
        if instance is None:
            return Cost(asleep, None)
        return Cost(asleep, instance + self.address_hour + METRICS * self.metric_month / HOURS_OF_MONTH)


def known_regions() -> tuple[str, ...]:
    """The regions whose prices are in the table."""
    return tuple(_table()["regions"])


def prices(region: str) -> Prices | None:
    """The prices of a region; None if the table does not have it."""
    table = _table()
    found = table["regions"].get(region)
    if found is None:
        return None
    types = {f"{family}.{size}": found[family] * share for family in ("t3", "t4g") for size, share in table["sizes"].items()}
    return Prices(
        date=table["date"],
        disk_month=found["gp3"],
        bucket_month=found["s3"],
        address_hour=table["public_address_hour"],
        alarm_month=table["alarm_month"],
        metric_month=table["metric_month"],
        instance_hours=types,
    )


def _table() -> Any:
    return json.loads(files(__package__).joinpath("prices.json").read_text("utf-8"))
