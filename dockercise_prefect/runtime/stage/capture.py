"""Captures a container's output while it runs."""

from __future__ import annotations

from collections.abc import Callable

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.runtime.engine import Channel, OutputSink
from dockercise_prefect.runtime.files.lines import LogTail
from dockercise_prefect.runtime.stage.ports import MaskedStream, Masking


class Capture:
    """An output sink that keeps stdout, and passes everything on, masked; to be finished.

    When that fails, because a disk is full, say, the container is not left running for hours: `give_up` is told once, and
    what comes after is dropped.

    Args:
        keep: gets stdout as it is: it is for other stages.
        masker: knows what is sensitive.
        sink: gets everything, masked, as do the last lines.
        give_up: told why nothing more is taken.
    """

    def __init__(
        self, keep: Callable[[bytes], object], masker: Masking, sink: OutputSink, give_up: Callable[[str], None]
    ) -> None:
        self._keep = keep
        self._streams: dict[Channel, MaskedStream] = {"stdout": masker.stream(), "stderr": masker.stream()}
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
                self._keep(chunk)
            self._pass_on(channel, self._streams[channel].feed(chunk))
        except (OSError, DockerciseError) as error:
            self._failed = True
            self._give_up(f"its output cannot be saved: {error}")

    def finish(self) -> None:
        """Nothing follows: pass on what waited, since it might have been the beginning of something sensitive."""
        if not self._failed:
            for channel, stream in self._streams.items():
                self._pass_on(channel, stream.flush())

    def _pass_on(self, channel: Channel, shown: bytes) -> None:
        if shown:
            self.tail.add(channel, shown)
            self._sink(channel, shown)
