"""What stands below the scrolling output of a run: as many stages as fit, and a count of all."""

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
"""Rows that the board takes even where the screen is hardly larger."""


@dataclass(frozen=True, slots=True)
class Board:
    """The stages at one moment.

    Attributes:
        started: when each stage that was started began, in seconds of some clock.
        ended: how each stage that has ended did.
    """

    pipeline: Pipeline
    started: Mapping[StageName, float]
    ended: Mapping[StageName, StageSummary]

    def rows(self, now: float, screen_height: int, marks: Marks) -> Iterator[Text]:
        """All stages where that is at most half of the screen; else what runs and what failed, and how many there are of each.

        Args:
            now: by the clock of `started`.
            screen_height: in rows.
            marks: of the terminal.
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
        """What runs and what failed last; where there are too many, neither crowds the other out."""
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
