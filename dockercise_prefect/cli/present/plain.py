"""The form for logs and pipes: lines without colours, each written at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TextIO

from dockercise_prefect.cli.present.lines import (
    last_line,
    marks_for,
    name_width,
    opening_lines,
    output_prefix,
    stage_lines,
)
from dockercise_prefect.cli.present.members import FirstMembers
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
)
from dockercise_prefect.results.reading.terminal_text import plain_line


class PlainPresenter:
    """See `Presenter`. The end of a stage is shown when it ends, below its output.

    Args:
        stream: the stream to print on.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = ForgivingStream(stream)
        self._marks = marks_for(self._stream.encoding)
        self._lock = threading.Lock()
        self._run: RunStarted | None = None
        self._opened = False
        self._width = 0
        self._members = FirstMembers()

    def __call__(self, event: Event) -> None:
        """See `Presenter`."""
        with self._lock:
            for line in self._lines(event):
                self._stream.write(f"{line}\n")
            self._stream.flush()

    def close(self) -> None:
        """See `Presenter`."""

    def _lines(self, event: Event) -> Iterator[str]:
        match event:
            case StageOutput(name, _, line):
                yield (output_prefix(name, self._width, self._marks) + plain_line(line)).rstrip()
            case RunStarted(pipeline=pipeline):
                self._run = event
                self._width = name_width(stage.name for stage in pipeline)
            case EngineFound():
                yield from self._open(event)
            case Notice(text):
                yield from map(plain_line, text.splitlines())
            case StageEnded(name, summary) if self._run is not None:
                stage = self._run.pipeline.find(name)
                if self._members.shows(stage, summary):
                    yield from (text.plain for text in stage_lines(stage, summary, self._width, self._marks))
            case RunEnded(summary):
                yield from self._open(None)
                yield from (text.plain for text in count_lines(summary.stages))
                yield last_line(summary, self._marks).plain
            case _:
                return

    def _open(self, engine: EngineFound | None) -> Iterator[str]:
        """The opening lines, once: with the engine when it has answered, or without it at the end."""
        if self._run is not None and not self._opened:
            self._opened = True
            yield from (text.plain for text in opening_lines(self._run, engine, self._marks))
