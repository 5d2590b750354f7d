"""Many instances of one stage, summed up: how many of them ended in which way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.instances import folded
from dockercise_prefect.results.reading.members import folded as shown_members
from dockercise_prefect.results.reading.wording import words
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus

_ORDER = (
    StageStatus.ERROR,
    StageStatus.FAILED,
    StageStatus.TIMED_OUT,
    StageStatus.RUNNING,
    StageStatus.CANCELLED,
    StageStatus.NOT_STARTED,
    StageStatus.TOLERATED,
    StageStatus.PASSED,
    StageStatus.CACHED,
    StageStatus.SKIPPED,
)
"""The states that matter most come first."""


@dataclass(frozen=True, slots=True)
class Instances:
    """The instances of one stage.

    Attributes:
        stage: the stage as it was written.
        names: all its instances in the pipeline.
        summaries: those that have ended, or run, by their names.
    """

    stage: StageName
    names: Sequence[StageName]
    summaries: Mapping[StageName, StageSummary]

    @property
    def name(self) -> StageName:
        """The name under which they are shown."""
        return self.stage

    @property
    def status(self) -> StageStatus:
        """The state that matters most. There must be a summary."""
        return min((one.status for one in self.summaries.values()), key=_ORDER.index)

    @property
    def blamed(self) -> list[StageName]:
        """Those because of which the run did not pass."""
        return [name for name, one in self.summaries.items() if one.status.to_blame]

    @property
    def counts(self) -> str:
        """`20 instances: 18 passed, 1 failed, 1 waiting`."""
        found = Counter(one.status for one in self.summaries.values())
        parts = [f"{found[status]} {words(status)}" for status in reversed(_ORDER) if status in found]
        waiting = len(self.names) - len(self.summaries)
        return f"{len(self.names)} instances: " + ", ".join([*parts, *([f"{waiting} waiting"] if waiting else [])])


def folded_instances(pipeline: Pipeline, stages: Mapping[StageName, StageSummary]) -> dict[StageName, Instances]:
    """The stages whose instances are shown together, because there are many, by their names as written.

    Args:
        pipeline: the pipeline that ran.
        stages: how its stages ended. Those that are missing have not started.
    """
    found: dict[StageName, Instances] = {}
    for stage in folded(pipeline.instances, pipeline.by_name).values():
        if stage not in found:
            names = pipeline.instances[stage]
            found[stage] = Instances(stage, names, {name: stages[name] for name in names if name in stages})
    return {name: one for name, one in found.items() if one.summaries}


def rows(pipeline: Pipeline, stages: Mapping[StageName, StageSummary]) -> Iterator[Stage | Instances]:
    """What a listing of a run shows, in order: single stages, and the instances that are shown together.

    Those of them because of which the run did not pass follow as single stages.

    Args:
        pipeline: the pipeline that ran.
        stages: how its stages ended. Those that are missing have not started.
    """
    together = folded_instances(pipeline, stages)
    hidden = stages.keys() - shown_members(stages).keys()
    for stage in pipeline:
        if stage.name in hidden:
            continue
        instances = together.get(stage.written_name)
        if instances is None:
            yield stage
        elif stage.name == instances.names[0]:
            yield instances
            yield from (pipeline.by_name[name] for name in instances.blamed)
