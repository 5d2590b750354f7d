"""Decides when each stage may start. Pure code: no threads, no Prefect.

A stage is settled when it has ended or will never start. Each stage is decided exactly once, when all stages that it needs are
settled. So a pipeline of n stages and e edges is scheduled in O(n + e), and nothing waits in a thread. When a stage is reported
that will never start, all stages that it needs have already been reported.

A clean-up stage that needs no stage comes after all ordinary stages, except those that depend on such a clean-up stage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from dockercise_prefect.orchestration.scheduling.decisions import (
    Before,
    Blocked,
    Decision,
    GroupOver,
    Ready,
    Skipped,
    StageEnd,
    decide,
)
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.selection import awaited_by_the_last
from dockercise_prefect.status import StageStatus

_NOTHING: Mapping[StageName, str] = MappingProxyType({})


class Schedule:
    """The order of one run. Not thread-safe: only one thread may use it.

    Args:
        pipeline: the stages in topological order.
        skipped: stages that are skipped whatever happens, each with the reason.
    """

    def __init__(self, pipeline: Pipeline, skipped: Mapping[StageName, str] = _NOTHING) -> None:
        self._pipeline = pipeline
        self._skipped = skipped
        self._missing = {stage.name: len(stage.needs) for stage in pipeline}
        self._ends: dict[StageName, StageEnd] = {}
        self._before: dict[StageName, Before] = {}
        self._dependents: dict[StageName, list[Stage]] = defaultdict(list)
        for stage in pipeline:
            for needed in stage.needs:
                self._dependents[needed].append(stage)
        self._last = {stage.name: stage for stage in pipeline if stage.when.cleans_up and not stage.needs}
        self._awaited = awaited_by_the_last(pipeline) if self._last else set()
        self._all_awaited = Before(failed=False, started=False, anything=bool(self._awaited))
        self._stopped = False
        self._over = False

    def first(self) -> Iterator[Decision]:
        """The decisions about stages that need nothing, in the pipeline's order, and all that follow from them."""
        return self.resume({})

    def resume(self, ends: Mapping[StageName, StageEnd]) -> Iterator[Decision]:
        """The decisions about the stages that an earlier process of the run has not settled, instead of `first`.

        Args:
            ends: how each stage ended that was settled.
        """
        beginnings = [stage for stage in self._pipeline if not stage.needs and not stage.when.cleans_up]
        decidable = [*beginnings, *([] if self._awaited else self._last.values())]
        for stage in self._pipeline:
            if stage.name in ends:
                decidable += self._settled(stage.name, ends[stage.name])
        return self._decided([stage for stage in decidable if stage.name not in ends])

    def settle(self, name: StageName, end: StageEnd) -> Iterator[Decision]:
        """Settle a stage that ended, and yield the decisions that can be made now, each after all stages that it needs.

        A stage that is yielded as skipped or blocked is thereby settled. Do not call `settle` for it.
        """
        return self._decided(self._settled(name, end))

    def stop(self) -> None:
        """From here on, no ordinary stage may start. Stages that were yielded as ready must still be settled."""
        self._stopped = True

    def end(self) -> None:
        """From here on, no stage may start, not even a clean-up stage. The rest is as for `stop`."""
        self._stopped = self._over = True

    def _decided(self, stages: list[Stage]) -> Iterator[Decision]:
        waiting = list(reversed(stages))
        while waiting:
            stage = waiting.pop()
            decision = self._decide(stage)
            yield decision
            match decision:
                case Ready():
                    continue
                case Skipped(is_refused=is_refused):
                    end = StageEnd(StageStatus.SKIPPED, because=self._failed_before(stage), is_refused=is_refused)
                case Blocked(_, because):
                    end = StageEnd(StageStatus.NOT_STARTED, because=because)
                case GroupOver():
                    raise AssertionError("only `groups` says that a group is over")
            waiting.extend(reversed(self._settled(stage.name, end)))

    def _decide(self, stage: Stage) -> Decision:
        if (why := self._skipped.get(stage.name)) is not None:
            return Skipped(stage, why)
        if self._over or (self._stopped and not stage.when.cleans_up):
            return Blocked(stage, None)
        before = self._all_awaited if stage.name in self._last else self._before_of(stage)
        return decide(stage, self._ends, before)

    def _failed_before(self, stage: Stage) -> StageName | None:
        """The stage because of which a skipped stage would not have started. The stages after it do not start either."""
        decision = decide(stage, self._ends, self._before_of(stage))
        return decision.because if isinstance(decision, Blocked) else None

    def _before_of(self, stage: Stage) -> Before:
        needed = [self._before[name] for name in stage.needs]
        return Before(
            failed=any(one.failed for one in needed),
            started=any(one.started for one in needed),
            anything=bool(needed),
        )

    def _settled(self, name: StageName, end: StageEnd) -> list[Stage]:
        """Settle a stage, and return the stages that can be decided now."""
        above = self._before_of(self._pipeline.by_name[name])
        self._ends[name] = end
        self._before[name] = before = Before(
            failed=above.failed or not end.status.succeeded, started=above.started or end.has_started
        )
        decidable = []
        for stage in self._dependents[name]:
            self._missing[stage.name] -= 1
            if not self._missing[stage.name]:
                decidable.append(stage)
        if name in self._awaited:
            self._awaited.discard(name)
            all_awaited = self._all_awaited
            self._all_awaited = Before(
                failed=all_awaited.failed or before.failed, started=all_awaited.started or before.started
            )
            if not self._awaited:
                decidable += self._last.values()
        return decidable
