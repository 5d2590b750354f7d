"""Logs of a run in the order in which they are shown: one after the other, or as they grow."""

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
    """A piece of what a stage printed."""

    stage: StageName
    chunk: bytes


@dataclass(frozen=True, slots=True)
class LogEnded:
    """No more of a stage follows; `kept` says whether there is a log of it at all."""

    stage: StageName
    kept: bool


Part: TypeAlias = Printed | LogEnded


def as_stored(run: RecordedRun, stages: Sequence[StageName]) -> Iterator[Part]:
    """The logs as they are now, one stage after the other."""
    for stage in stages:
        yield from _Log(run, stage).rest(ended=True)


def as_printed(
    run: RecordedRun, stages: Sequence[StageName], needs: Mapping[StageName, Sequence[StageName]], pause: Callable[[], None]
) -> Iterator[Part]:
    """The logs as they grow, until each stage has ended, or the run has.

    Args:
        run: that goes on.
        stages: whose logs.
        needs: for each stage, those that it runs after; it is not looked for before the ones among `stages` have ended.
        pause: called between two looks.
    """
    logs = {stage: _Log(run, stage) for stage in stages}
    while logs:
        over = run.is_over()  # asked first: what was printed before the end is seen in the same look
        due = list(logs) if over else [stage for stage in logs if logs.keys().isdisjoint(needs[stage])]
        for stage in due:
            ended = over or _has_ended(run, stage)
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
        """What has come since, and that it was the last where the stage has ended."""
        try:
            for chunk in self._run.log(self._stage, self._read):
                self._read += len(chunk)
                yield Printed(self._stage, chunk)
            self._kept = True
        except NotStoredError:
            pass  # of a stage that waits, or is sensitive, there is none
        if ended:
            yield LogEnded(self._stage, self._kept)
