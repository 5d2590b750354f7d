"""Many instances of one stage, summed up."""

from __future__ import annotations

from dockercise_prefect.pipeline import Pipeline, Stage, instance, stage
from dockercise_prefect.results.reading.instances import Instances, rows
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus


def _instances(count: int) -> list[Stage]:
    which = [instance("test", NUMBER=str(number)) for number in range(count)]
    return [stage(one.name, instance=one, image="x") for one in which]


def test_many_instances_are_one_row() -> None:
    """From 20 instances on, one row says how many ended in which way, and those that failed follow."""
    pipeline = Pipeline("p", [stage("first", image="x"), *_instances(20)])
    summaries = {one.name: StageSummary(StageStatus.PASSED) for one in pipeline.stages[:-1]}
    summaries["test(7)"] = StageSummary(StageStatus.FAILED, 1)

    shown = list(rows(pipeline, summaries))

    counts = "20 instances: 18 passed, 1 failed, 1 waiting"
    assert [row.counts if isinstance(row, Instances) else row.name for row in shown] == ["first", counts, "test(7)"]


def test_few_instances_are_rows_of_their_own() -> None:
    """Fewer instances are shown like other stages."""
    pipeline = Pipeline("p", _instances(19))

    shown = list(rows(pipeline, {one.name: StageSummary(StageStatus.PASSED) for one in pipeline}))

    assert shown == list(pipeline)


def test_the_state_that_matters_most() -> None:
    """The row of many instances has the state that matters most."""
    summaries = {"a": StageSummary(StageStatus.PASSED), "b": StageSummary(StageStatus.TIMED_OUT)}

    together = Instances("test", ["a", "b"], summaries)

    assert together.status is StageStatus.TIMED_OUT
    assert together.blamed == ["b"]
