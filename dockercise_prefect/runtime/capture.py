"""Takes a container's output while it runs."""

from __future__ import annotations

from collections.abc import Callable

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.runtime.engine import Channel, OutputSink
from dockercise_prefect.runtime.output import LogTail, StageOutput


class Capture:
    """An output sink that keeps stdout and the last lines, and passes everything on.

    When that fails, because a disk is full, say, the container is not left running for hours: `give_up` is told once, and
    what comes after is dropped.

    Args:
        output: gets stdout.
        sink: gets everything.
        give_up: told why nothing more is taken.
    """

    def __init__(self, output: StageOutput, sink: OutputSink, give_up: Callable[[str], None]) -> None:
        self._output = output
        self._sink = sink
        self._give_up = give_up
        self._failed = False
        self.tail = LogTail()

    def __call__(self, channel: Channel, chunk: bytes) -> None:
        """Take one chunk (`engine.OutputSink`)."""
        if self._failed:
            return
        try:
            if channel == "stdout":
                self._output.write(chunk)
            self.tail.add(channel, chunk)
            self._sink(channel, chunk)
        except (OSError, DockerciseError) as error:
            self._failed = True
            self._give_up(f"its output cannot be kept: {error}")
