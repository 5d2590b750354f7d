"""Logs of a run on standard output."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol, TextIO

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.runtime.files.lines import LineDecoder

LONGEST_LINE = 1_048_576
"""Characters of a line that are held back until its end is there."""


class LogPrinter(Protocol):
    """Prints pieces of logs as they come."""

    def take(self, stage: StageName, chunk: bytes) -> None:
        """The next piece of a stage's log."""
        ...

    def end(self, stage: StageName) -> None:
        """No more of that stage follows."""
        ...


class ExactLog:
    """A `LogPrinter` of one stage for programs: byte for byte.

    Args:
        stream: where to.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def take(self, _stage: StageName, chunk: bytes) -> None:
        """See `LogPrinter`."""
        self._stream.write(chunk)
        self._stream.flush()

    def end(self, _stage: StageName) -> None:
        """See `LogPrinter`."""


class LogLines:
    """A `LogPrinter` for people: whole lines, and no control sequence that a stage printed reaches the terminal.

    Args:
        stream: where to.
        prefix: what stands before each line of a stage.
        clean: makes a line harmless.
    """

    def __init__(self, stream: TextIO, prefix: Callable[[StageName], str], clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._prefix = prefix
        self._clean = clean
        self._decoders: dict[StageName, LineDecoder] = {}

    def take(self, stage: StageName, chunk: bytes) -> None:
        """See `LogPrinter`."""
        decoder = self._decoders.setdefault(stage, LineDecoder(LONGEST_LINE))
        self._print(stage, decoder.feed(chunk))

    def end(self, stage: StageName) -> None:
        """See `LogPrinter`."""
        if (decoder := self._decoders.pop(stage, None)) is not None:
            self._print(stage, decoder.flush())

    def _print(self, stage: StageName, lines: list[str]) -> None:
        prefix = self._prefix(stage)
        shown = (prefix + self._clean(line) for line in lines)
        self._stream.write("".join(f"{line.rstrip()}\n" for line in shown))
        self._stream.flush()
