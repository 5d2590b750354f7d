"""The form for a terminal. The output of stages scrolls above a table that is drawn a few times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import IO, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from dockercise_prefect.cli.present.board import Board
from dockercise_prefect.cli.present.lines import (
    instances_row,
    last_line,
    marks_for,
    name_width,
    opening_lines,
    output_prefix,
    stage_lines,
)
from dockercise_prefect.cli.present.stream import ForgivingStream
from dockercise_prefect.cli.present.tests import count_lines
from dockercise_prefect.orchestration.run.events import (
    EngineFound,
    Event,
    Notice,
    RunEnded,
    RunStarted,
    StageEnded,
    StageOutput,
    StageStarted,
    Waiting,
)
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.pipeline.members import with_members
from dockercise_prefect.results.reading.instances import Instances, rows
from dockercise_prefect.results.reading.terminal_text import coloured_line, plain_line
from dockercise_prefect.results.summary import RunSummary, StageSummary

SECONDS_BETWEEN_DRAWINGS = 0.125
LINES_AT_ONCE = 1000
"""The maximum number of lines that wait for the next drawing. One drawing for each line would be too slow, and an unlimited
number would need too much memory."""

_PREFIX_STYLE = Style.parse("cyan")


class LivePresenter:
    """See `Presenter`.

    Args:
        stream: a terminal.
        clock: returns seconds that never decrease.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        forgiving = ForgivingStream(stream)
        self._console = Console(file=cast("IO[str]", forgiving), highlight=False, markup=False, emoji=False)
        self._clean = plain_line if self._console.no_color or self._console.color_system is None else coloured_line
        self._marks = marks_for(forgiving.encoding)
        self._clock = clock
        self._lock = threading.Lock()
        self._run: RunStarted | None = None
        self._opened = False
        self._width = 0
        self._started: dict[StageName, float] = {}
        self._ended: dict[StageName, StageSummary] = {}
        self._scrolling: list[Segment] = []
        self._live: Live | None = None
        self._waiting: Live | None = None
        self._closed = threading.Event()

    def __call__(self, event: Event) -> None:
        """See `Presenter`."""
        with self._lock:
            self._wait_no_more()
            if not self._is_of_member(event):
                self._take(event)

    def close(self) -> None:
        """See `Presenter`."""
        with self._lock:
            self._wait_no_more()
            self._stop()

    def _take(self, event: Event) -> None:
        match event:
            case StageOutput(stage, _, line):
                self._scrolling.append(Segment(output_prefix(stage, self._width, self._marks), _PREFIX_STYLE))
                self._scrolling.append(Segment(f"{self._clean(line)}\n"))
                if len(self._scrolling) >= 2 * LINES_AT_ONCE:
                    self._draw()
            case RunStarted(pipeline=pipeline):
                self._run = event
                self._width = name_width(stage.name for stage in pipeline)
            case EngineFound():
                self._open(event)
            case Notice(text):
                self._say(Text(plain_line(line)) for line in text.splitlines())
            case Waiting(what) if self._live is None:
                self._wait_for(what)
            case StageStarted(name):
                self._started[name] = self._clock()
                self._go_live()
            case StageEnded(name, summary):
                self._ended[name] = summary
                self._go_live()
            case RunEnded(summary):
                self._end(summary)

    def _open(self, engine: EngineFound | None) -> None:
        if self._run is not None and not self._opened:
            self._opened = True
            self._say(opening_lines(self._run, engine, self._marks))

    def _end(self, summary: RunSummary) -> None:
        self._stop()
        self._open(None)
        if self._run is not None and self._ended:  # otherwise no stage has started, and the last line says why
            pipeline = with_members(self._run.pipeline, summary.stages)
            for row in rows(pipeline, summary.stages):
                if isinstance(row, Instances):
                    self._say([instances_row(row, self._width, self._marks)])
                elif row.name in summary.stages:
                    self._say(stage_lines(row, summary.stages[row.name], self._width, self._marks))
        self._say([*count_lines(summary.stages), last_line(summary, self._marks)])

    def _is_of_member(self, event: Event) -> bool:
        """Whether a member of a group starts or ends. The group has a row in the table, and its members have none (`each`)."""
        match event:
            case StageStarted(name) | StageEnded(name, _):
                return self._run is not None and name not in self._run.pipeline.by_name
            case _:
                return False

    def _say(self, lines: Iterable[Text]) -> None:
        self._draw()
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def _wait_for(self, what: str) -> None:
        """Show a row that the next row replaces."""
        row = Text(f"waiting for {what}", "dim", no_wrap=True, overflow="crop")
        self._waiting = Live(row, console=self._console, auto_refresh=False, transient=True)
        self._waiting.start(refresh=True)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None

    def _go_live(self) -> None:
        if self._live is not None or self._closed.is_set():
            return
        self._live = Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._live.start()
        threading.Thread(target=self._keep_drawing, name="dockercise-live", daemon=True).start()

    def _keep_drawing(self) -> None:
        while not self._closed.wait(SECONDS_BETWEEN_DRAWINGS):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        """Print the new output, and draw the table below it."""
        with self._console:  # both in one write, so that the table does not flicker
            if self._scrolling:
                self._console.print(_Scrolling(self._scrolling), crop=False)
                self._scrolling = []
            if self._live is not None and self._run is not None:
                board = Board(self._run.pipeline, self._started, self._ended)
                rows = board.rows(self._clock(), self._console.height, self._marks)
                # A wrapped row would need one row more than the board has counted.
                self._live.update(Text("\n", no_wrap=True, overflow="crop").join(rows), refresh=True)

    def _stop(self) -> None:
        self._closed.set()
        self._draw()
        if self._live is not None:
            self._live.stop()
            self._live = None


class _Scrolling:
    """Lines that rich writes unchanged. The terminal wraps them, since measuring each line would take long."""

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._segments
