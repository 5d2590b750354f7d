"""Captures a container's output while it runs."""

from __future__ import annotations

from collections.abc import Callable

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.runtime.files.lines import LogTail
from dockercise_prefect.runtime.output_sink import Channel, OutputSink
from dockercise_prefect.runtime.stage.ports import MaskedStream, Masking


class Capture:
    """An output sink that keeps stdout, and passes everything on, masked. Call `finish` at the end.

    If storing or passing on output fails, for example because a disk is full, `give_up` is called once, so that the container
    does not run on for hours. What comes after that is dropped.

    Args:
        keep: gets stdout without masking, since it is for other stages.
        masker: knows what is sensitive.
        sink: gets everything, masked. The last lines, which are kept for messages, are masked too.
        give_up: called with the reason why no more output is accepted.
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
        """End the output: pass on what was held back because it might have been the beginning of something sensitive."""
        if not self._failed:
            for channel, stream in self._streams.items():
                self._pass_on(channel, stream.flush())

    def _pass_on(self, channel: Channel, shown: bytes) -> None:
        if shown:
            self.tail.add(channel, shown)
            self._sink(channel, shown)
