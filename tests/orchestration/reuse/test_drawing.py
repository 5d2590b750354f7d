"""Which stages of a run are compared."""

from __future__ import annotations

import pytest

from dockercise_prefect.orchestration.reuse.audit import is_drawn

RUNS = [f"20261130T{number:06}Z-abcd" for number in range(2000)]


def test_none_and_every_one() -> None:
    """0 draws no stage, and 1 draws each."""
    assert not any(is_drawn("build", run, 0) for run in RUNS)
    assert all(is_drawn("build", run, 1) for run in RUNS)


@pytest.mark.parametrize("one_in", [2, 10, 50])
def test_one_in_so_many(one_in: int) -> None:
    """Over many runs, each stage is drawn about as often as the number says, and not all stages of a run together."""
    build, test = ({run for run in RUNS if is_drawn(stage, run, one_in)} for stage in ("build", "test \udcff"))

    assert len(RUNS) / one_in * 0.5 < len(build) < len(RUNS) / one_in * 1.5
    assert build != test
