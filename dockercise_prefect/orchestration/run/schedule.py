"""Which stage may start when: pure, no threads, no Prefect.

A stage is settled when it has ended or will never start. It is looked at exactly once, when all it needs is settled: then it
may start, or it is blocked. So a pipeline of n stages and e edges is scheduled in O(n + e), nothing ever waits in a thread, and
when a blocked stage is reported all it needs has been reported before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from dockercise_prefect.pipeline import Pipeline, Stage, StageName


@dataclass(frozen=True, slots=True)
class Ready:
    """All that the stage needs has succeeded."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Blocked:
    """The stage will never start: `because` is the stage that failed, not one that was blocked itself."""

    stage: Stage
    because: StageName


class Schedule:
    """The order of one run. Not thread-safe: one thread asks and tells.

    Args:
        pipeline: stages in topological order.
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
        """Tell how a stage ended; what can be said now of those that need it, whatever it needs first.

        A stage that is yielded as blocked is settled by that: it is not to be told again.
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
