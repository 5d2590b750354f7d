"""Costs: what a stack costs asleep and awake, from the table of prices."""

from __future__ import annotations

import pytest

from dockercise_prefect.aws.cost import ALARMS, known_regions, prices


def test_cost_of_the_usual_stack() -> None:
    """Asleep, the disks and the alarms cost something; awake, the instance, its address and its metrics cost more."""
    found = prices("us-east-1")
    assert found is not None

    cost = found.cost("t3.medium", 52, ALARMS)

    assert cost.asleep_month == pytest.approx(52 * 0.08 + 3 * 0.1)
    assert cost.awake_hour == pytest.approx(0.0416 + 0.005 + 2 * 0.3 / 730)


def test_so_far() -> None:
    """What was spent so far is the part of the month that has passed, and the hours awake."""
    found = prices("eu-west-1")
    assert found is not None
    cost = found.cost("t3.small", 50)

    assert cost.awake_hour is not None
    assert cost.so_far(0.5, 10) == pytest.approx(cost.asleep_month / 2 + 10 * cost.awake_hour)


def test_a_bigger_instance_costs_more_only_awake() -> None:
    """The size of the instance changes the hour awake, and not the month asleep."""
    found = prices("eu-central-1")
    assert found is not None

    small, large = found.cost("t4g.small", 52), found.cost("t4g.large", 52)

    assert small.asleep_month == large.asleep_month
    assert (small.awake_hour or 0) < (large.awake_hour or 0)


def test_unknown_prices() -> None:
    """For a region or an instance type that is not in the table, no number is invented."""
    known = prices("us-east-1")

    assert prices("xx-north-9") is None
    assert known is not None
    assert known.cost("p5.48xlarge", 52).awake_hour is None
    assert known.cost("p5.48xlarge", 52).so_far(1, 1) is None


def test_the_table_is_dated() -> None:
    """The table names the month in which the prices were looked up, and prices for each region."""
    assert all(found is not None and found.date == "2026-11" for found in map(prices, known_regions()))
    assert len(known_regions()) > 5
