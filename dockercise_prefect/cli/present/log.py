"""Prints logs of a run on standard output."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol, TextIO

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.runtime.files.lines import LineDecoder

LONGEST_LINE = 1_048_576
"""How many characters of a line are held back until its end arrives."""


class LogPrinter(Protocol):
    """Prints pieces of logs as they arrive."""

    def take(self, stage: StageName, chunk: bytes) -> None:
        """Print the next piece of a stage's log."""
        ...

    def end(self, stage: StageName) -> None:
        """End the log of the stage."""
        ...


class ExactLog:
    """A `LogPrinter` of one stage for programs, byte for byte.

    Args:
        stream: the stream to print on.
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
    """A `LogPrinter` for people. It prints whole lines, and makes control sequences of stages harmless.

    Args:
        stream: the stream to print on.
        prefix: the prefix of each line of a stage.
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
