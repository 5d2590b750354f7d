"""Decides when each stage may start. Pure code: no threads, no Prefect.

A stage is settled when it has ended or will never start. Each stage is checked exactly once, when all stages that it needs are
settled: then it may start, or it is blocked. So a pipeline of n stages and e edges is scheduled in O(n + e), and nothing waits
in a thread. When a blocked stage is reported, all stages that it needs have already been reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from dockercise_prefect.pipeline import Pipeline, Stage, StageName


@dataclass(frozen=True, slots=True)
class Ready:
    """All stages that the stage needs have succeeded."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Blocked:
    """The stage will never start. `because` is the stage that failed, not one that was blocked itself."""

    stage: Stage
    because: StageName


class Schedule:
    """The order of one run. Not thread-safe: only one thread may use it.

    Args:
        pipeline: the stages in topological order.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._missing = {stage.name: len(stage.needs) for stage in pipeline}
        self._because: dict[StageName, StageName] = {}
        self._dependents: dict[StageName, list[Stage]] = defaultdict(list)
        for stage in pipeline:
            for needed in stage.needs:
                self._dependents[needed].append(stage)

    def first(self) -> Iterator[Ready | Blocked]:
        """The stages that need nothing, in the pipeline's order."""
        return (Ready(stage) for stage in self._pipeline if not stage.needs)

    def settle(self, name: StageName, *, succeeded: bool) -> Iterator[Ready | Blocked]:
        """Settle a stage that ended, and yield the stages that can be decided now, each after all stages that it needs.

        A stage that is yielded as blocked is thereby settled. Do not call `settle` for it.
        """
        told = [(name, succeeded)]
        while told:
            ended, succeeded = told.pop()
            if not succeeded:
                self._because.setdefault(ended, ended)
            for stage in self._dependents[ended]:
                self._missing[stage.name] -= 1
                if ended in self._because:
                    self._because.setdefault(stage.name, self._because[ended])
                if self._missing[stage.name]:
                    continue
                if stage.name in self._because:
                    yield Blocked(stage, self._because[stage.name])
                    told.append((stage.name, False))
                else:
                    yield Ready(stage)
