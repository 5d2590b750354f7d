"""The logs of a run in the order in which they are shown: one after the other, or as they grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class Printed:
    """A piece of the output of a stage."""

    stage: StageName
    chunk: bytes


@dataclass(frozen=True, slots=True)
class LogEnded:
    """The log of a stage has ended. `kept` says whether the stage has a log at all."""

    stage: StageName
    kept: bool


Part: TypeAlias = Printed | LogEnded


def as_stored(run: RecordedRun, stages: Sequence[StageName]) -> Iterator[Part]:
    """The logs as they are now, one stage after the other."""
    for stage in stages:
        yield from _Log(run, stage).rest(ended=True)


def as_printed(
    run: RecordedRun,
    stages: Sequence[StageName],
    needs: Mapping[StageName, Sequence[StageName]],
    pause: Callable[[], None],
    owners: Mapping[str, StageName] | None = None,
) -> Iterator[Part]:
    """The logs as they grow, until all stages or the run have ended.

    Args:
        run: a run that is still running.
        stages: the stages whose logs are read, or services, as `<stage>.<service>`.
        needs: for each stage, the stages that it runs after. Its log is not read before those among `stages` have ended.
        pause: called between two checks.
        owners: the stage of each service. Its log ends with the stage.
    """
    owners = owners or {}
    logs = {stage: _Log(run, stage) for stage in stages}
    while logs:
        over = run.is_over()  # checked first, so that output from before the end is read in the same pass
        due = list(logs) if over else [stage for stage in logs if logs.keys().isdisjoint(needs.get(stage, ()))]
        for stage in due:
            ended = over or _has_ended(run, owners.get(stage, stage))
            yield from logs[stage].rest(ended=ended)
            if ended:
                del logs[stage]
        if logs:
            pause()


def _has_ended(run: RecordedRun, stage: StageName) -> bool:
    entry = run.entry(stage)
    return entry is not None and entry.summary.status is not StageStatus.RUNNING


class _Log:
    """One stage's log and how far it has been read."""

    def __init__(self, run: RecordedRun, stage: StageName) -> None:
        self._run = run
        self._stage = stage
        self._read = 0
        self._kept = False

    def rest(self, *, ended: bool) -> Iterator[Part]:
        """The new output since the last call, and `LogEnded` if the stage has ended."""
        try:
            for chunk in self._run.log(self._stage, self._read):
                self._read += len(chunk)
                yield Printed(self._stage, chunk)
            self._kept = True
        except NotStoredError:
            pass  # a stage that waits, or is sensitive, has no log
        if ended:
            yield LogEnded(self._stage, self._kept)
