"""The form for users who only want to know what failed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TextIO

from dockercise_prefect.cli.present.lines import further_lines, last_line, marks_for, name_width, stage_lines
from dockercise_prefect.cli.present.members import FirstMembers
from dockercise_prefect.cli.present.stream import ForgivingStream
from dockercise_prefect.cli.present.tests import count_lines
from dockercise_prefect.orchestration.run.events import Event, RunEnded, RunStarted, StageEnded
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus


class QuietPresenter:
    """See `Presenter`. Shows the failed stages with all details, and the last line.

    Args:
        stream: the stream to print on.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = ForgivingStream(stream)
        self._marks = marks_for(self._stream.encoding)
        self._lock = threading.Lock()
        self._run: RunStarted | None = None
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
            case RunStarted(pipeline=pipeline):
                self._run = event
                self._width = name_width(stage.name for stage in pipeline)
            case StageEnded(name, summary) if self._run is not None and summary.status.to_blame:
                yield from self._failed(self._run.pipeline.find(name), summary)
            case RunEnded(summary):
                wrong = {name: stage for name, stage in summary.stages.items() if stage.tests and stage.tests.wrong}
                yield from (text.plain for text in count_lines(wrong))
                yield last_line(summary, self._marks).plain
            case _:
                return

    def _failed(self, stage: Stage, summary: StageSummary) -> Iterator[str]:
        if self._members.shows(stage, summary):
            yield from (text.plain for text in stage_lines(stage, summary, self._width, self._marks))
            if summary.status is not StageStatus.ERROR:  # the line of an error already says everything
                yield from (text.plain for text in further_lines(summary))
