"""The table of bounds of the benchmark of overhead says what was measured."""

from __future__ import annotations

from benchmarks.overhead import Bound, Round, bounds
from benchmarks.overhead_version import Measured


def a_round(ratio: float) -> Round:
    """A round in which a run took `ratio` times as long as plain calls, and did as much work."""
    plain = Measured(seconds=10.0, processor=8.0)
    run = Measured(seconds=10.0 * ratio, startup=3.0, processor=10.0, server=2.0)
    return Round(plain, [run], simplest_flow=2.5, imports=2.0, asking_once=2.0, others=0.0)


def test_a_bound_that_is_not_kept_is_told() -> None:
    """The line has the ratio, the bound and the verdict; what has no bound has no verdict."""
    kept, broken, free = Bound("a", 0.7, 0.7), Bound("b", 0.71, 0.7), Bound("c", 99.0)

    assert [bound.is_kept for bound in (kept, broken, free)] == [True, False, True]
    assert [bound.line.split() for bound in (kept, broken, free)] == [
        ["a", "0.70", "0.70", "kept"],
        ["b", "0.71", "0.70", "NOT", "KEPT"],
        ["c", "99.00"],
    ]


def test_ratios_are_those_of_a_round() -> None:
    """Each ratio is calculated in its round; imports and the server are parts of the processor time, and also shown alone."""
    found = {
        bound.what.split(":")[-1].strip(): bound for bound in bounds("chain", 0.7, [a_round(each) for each in (0.5, 0.6, 9)])
    }

    assert found["seconds, against plain calls"].measured == 0.6
    assert found["all of it, against plain calls"].measured == 1.25
    assert found["processor of the whole machine, against plain calls, without the next two"].measured == 0.75
    assert found["start-up, against the simplest flow run of Prefect"].measured == 1.2
    assert found["the same, against importing Prefect and asking its API once"].measured == 1.5
    assert [bound.is_kept for bound in found.values()] == [True, True, True, True, True, False, True]
