"""What a stage prints, on its way: complete to the run's record, as lines to Prefect and to the observers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from dockercise_prefect.orchestration.run.events import Observer, StageOutput
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.record.store import LogWriter
from dockercise_prefect.runtime.engine import Channel
from dockercise_prefect.runtime.files.lines import LineDecoder

PrefectLogger: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"

TAIL = 40
"""Lines that an artifact of the stage shows."""

LONGEST_SHOWN = 500
"""Characters of each of them."""

LONGEST_LINE = 16_384
"""Characters of a log record; Prefect drops records of a megabyte, and its UI is no place for lines that long."""


class StageLog:
    """Takes a stage's output, masked, chunk by chunk; to be closed.

    Prefect's log gets the first `budget` lines and then one that says where all of them are: its UI freezes at many thousands,
    and its database grows with each. What waits to be sent is in memory, so a line counts once more for every 500 characters.
    The record and the observer get everything.

    Args:
        stage: that prints.
        record: keeps what it prints, and is closed with this.
        logger: Prefect's, of the task run.
        observer: is told each line.
        ship: takes each line elsewhere.
        where: the record is, for people.
        budget: lines that Prefect's log gets, 0 for none.
    """

    def __init__(
        self,
        stage: StageName,
        record: LogWriter,
        logger: PrefectLogger,
        observer: Observer,
        ship: Callable[[str], None],
        *,
        where: str,
        budget: int,
    ) -> None:
        self._stage = stage
        self._record = record
        self._where = where
        self._logger = logger
        self._observer = observer
        self._ship = ship
        self._left = budget
        self._cut = False
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._decoders: dict[Channel, LineDecoder] = {channel: LineDecoder(LONGEST_LINE) for channel in ("stdout", "stderr")}

    def __call__(self, channel: Channel, chunk: bytes) -> None:
        """Take one chunk of output (`runtime.engine.OutputSink`)."""
        self._record.write(chunk)
        for line in self._decoders[channel].feed(chunk):
            self._show(channel, line)

    @property
    def tail(self) -> list[str]:
        """The last lines, for a page that shows how it ended."""
        return list(self._tail)

    def close(self) -> None:
        """Pass on the last line of each channel, if it has no end."""
        for channel, decoder in self._decoders.items():
            for line in decoder.flush():
                self._show(channel, line)
        self._record.close()

    def _show(self, channel: Channel, line: str) -> None:
        self._observer(StageOutput(self._stage, channel, line))
        self._ship(line)
        self._tail.append(line[:LONGEST_SHOWN])
        if self._left > 0:
            self._logger.info("%s", line)
        elif not self._cut:
            self._cut = True
            self._logger.warning("more lines follow; the full log of %s is in %s", self._stage, self._where)
        self._left -= 1 + len(line) // LONGEST_SHOWN


def silent(_channel: Channel, _chunk: bytes) -> None:
    """Where the output of a `noLog` stage goes."""
