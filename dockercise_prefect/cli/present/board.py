"""The table below the scrolling output of a run: as many stages as fit, and the counts of all stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text

from dockercise_prefect.cli.present.lines import STYLES, Marks, name_width, stage_lines, stage_row
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.reading.wording import duration
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus

SMALLEST = 3
"""The minimum number of rows of the board, even on a very small screen."""


@dataclass(frozen=True, slots=True)
class Board:
    """The stages at one moment.

    Attributes:
        started: the start of each started stage, in seconds of some clock.
        ended: the summary of each ended stage.
    """

    pipeline: Pipeline
    started: Mapping[StageName, float]
    ended: Mapping[StageName, StageSummary]

    def rows(self, now: float, screen_height: int, marks: Marks) -> Iterator[Text]:
        """All stages, if they fit on half of the screen. Otherwise, running and failed stages, and the counts of all states.

        Args:
            now: the time, of the clock of `started`.
            screen_height: the number of rows of the screen.
            marks: the characters for the terminal.
        """
        width = name_width(stage.name for stage in self.pipeline)
        room = max(SMALLEST, screen_height // 2)
        if len(self.pipeline) <= room:
            yield from (self._row(stage, now, width, marks) for stage in self.pipeline)
            return
        chosen = self._worth_showing(room - 1)
        yield from (self._row(stage, now, width, marks) for stage in self.pipeline if stage.name in chosen)
        yield self._counts(marks)

    def _row(self, stage: Stage, now: float, width: int, marks: Marks) -> Text:
        summary = self.ended.get(stage.name)
        if summary is not None:
            return next(stage_lines(stage, summary, width, marks))
        if stage.name in self.started:
            took = duration(max(0.0, now - self.started[stage.name]))
            return stage_row(mark=marks.stages[StageStatus.RUNNING], name=stage.name, width=width, took=took, style="bold")
        return stage_row(mark=marks.waiting, name=stage.name, width=width, details="waiting", style="dim")

    def _worth_showing(self, room: int) -> set[StageName]:
        """Running stages, and the stages that failed last. If there are too many, each kind gets at least half of the rows."""
        running = [name for name in self.started if name not in self.ended]
        blamed = [name for name, summary in self.ended.items() if summary.status.to_blame]
        for_blamed = min(len(blamed), max(room // 2, room - len(running)))
        return {*blamed[len(blamed) - for_blamed :], *running[: room - for_blamed]}

    def _counts(self, marks: Marks) -> Text:
        statuses = [summary.status for summary in self.ended.values()]
        counts = [(statuses.count(status), status.value.replace("_", " "), STYLES[status]) for status in STYLES]
        running = len(self.started.keys() - self.ended.keys())
        counts.append((running, "running", "bold"))
        counts.append((len(self.pipeline) - len(self.ended) - running, "waiting", "dim"))
        parts = [Text(f"{count} {word}", style) for count, word, style in counts if count]
        return Text("  ").append_text(Text(f" {marks.dot} ").join(parts))
