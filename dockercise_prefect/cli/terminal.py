"""The user's terminal, or pipes in its place, as the user's side of a shell (`runtime.dialogue.Dialogue`)."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO

from dockercise_prefect.runtime.dialogue import Size
from dockercise_prefect.runtime.output_sink import Channel

_CHUNK = 65536


class StandardStreams:
    """The standard streams of this process. If input and output are a terminal, the shell gets a terminal too.

    A stream that the process was started without (`<&-`) is an empty one. Must be closed.
    """

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._input, self._output, self._errors = map(self._descriptor, (sys.stdin, sys.stdout, sys.stderr))
        self._is_terminal = os.isatty(self._input) and os.isatty(self._output)
        self._before: list[Any] | None = None

    @property
    def size(self) -> Size | None:
        """See `Dialogue`."""
        if not self._is_terminal:
            return None
        try:
            columns, rows = os.get_terminal_size(self._output)
        except OSError:  # it was closed
            return None
        return Size(rows, columns)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """See `Dialogue`."""
        if self._is_terminal:
            self._before = termios.tcgetattr(self._input)
            tty.setraw(self._input)
        try:
            yield
        finally:
            self._restore()

    def read(self, patience: float) -> bytes | None:
        """See `Dialogue`."""
        ready, _, _ = select.select([self._input], [], [], patience)
        if not ready:
            return None
        try:
            return os.read(self._input, _CHUNK)
        except OSError:  # the terminal was closed
            return b""

    def write(self, channel: Channel, chunk: bytes) -> None:
        """See `Dialogue`."""
        stream = self._errors if channel == "stderr" else self._output
        while chunk:
            chunk = chunk[os.write(stream, chunk) :]

    def close(self) -> None:
        """Make the terminal what it was before, and close what was opened."""
        self._restore()
        self._opened.close()

    def _restore(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            with suppress(termios.error):  # it was closed
                termios.tcsetattr(self._input, termios.TCSADRAIN, before)

    def _descriptor(self, stream: TextIO | None) -> int:
        if stream is not None:
            return stream.fileno()
        descriptor = os.open(os.devnull, os.O_RDWR)
        self._opened.callback(os.close, descriptor)
        return descriptor
