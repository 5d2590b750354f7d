"""Passes on the output of a stage: all bytes to the record of the run, and lines to Prefect and to the observers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dockercise_prefect.orchestration.run.events import Observer, StageOutput
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.record.store import LogWriter
from dockercise_prefect.runtime.files.lines import LineDecoder
from dockercise_prefect.runtime.output_sink import Channel, OutputSink

PrefectLogger: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"

TAIL = 40
"""How many lines the artifact of a stage shows."""

LONGEST_SHOWN = 500
"""The maximum number of characters of each of these lines."""

LONGEST_LINE = 16_384
"""The maximum number of characters of a log record. Prefect drops records of a megabyte, and its UI cannot show them well."""


class StageLog:
    """Receives the masked output of a stage, chunk by chunk. Must be closed.

    Prefect's log gets the first `budget` lines, and then one line that says where to find all of them. With many thousands of
    lines its UI freezes, and its database grows with each line. Lines that wait to be sent are in memory, so a line counts once
    more for every 500 characters. The record and the observer get everything.

    Args:
        stage: the stage that prints.
        record: stores the output, and is closed together with this object.
        logger: Prefect's logger of the task run.
        observer: called with each line.
        ship: sends each line to another place.
        where: the place of the record, for people.
        budget: how many lines Prefect's log gets; 0 for none.
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
        """The last lines, for a page about the end of the stage."""
        return list(self._tail)

    def close(self) -> None:
        """Pass on the last line of each channel, if it does not end with an end of line."""
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


class ServiceLogs:
    """Stores the masked output of the services of a stage. Must be closed.

    Args:
        records: a writer for each service, by its name; empty for a stage whose output is sensitive. They are closed together
            with this object.
    """

    def __init__(self, records: Mapping[str, LogWriter]) -> None:
        self._records = records

    def of(self, service: str) -> OutputSink:
        """What gets the output of a service."""
        record = self._records.get(service)
        return silent if record is None else lambda _channel, chunk: record.write(chunk)

    def begin(self, line: bytes) -> None:
        """Begin an attempt with this line."""
        for record in self._records.values():
            record.write(line)

    def close(self) -> None:
        """All services have ended."""
        for record in self._records.values():
            record.close()


def silent(_channel: Channel, _chunk: bytes) -> None:
    """The sink for the output of a `noLog` stage and its services."""
