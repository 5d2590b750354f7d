"""A text stream that cannot fail a run: a pipe that was closed and a poor encoding are no reason to stop."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


class ForgivingStream:
    """Writes to a stream until its reader is gone.

    Args:
        stream: stdout or stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False

    @property
    def encoding(self) -> str:
        """What characters become."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor, for the terminal's size."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write what can be written; `?` stands for characters that the stream does not have."""
        if self._gone:
            return len(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            return self.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except BlockingIOError:  # somebody made the pipe non-blocking and does not read: this piece is lost, not the rest
            return len(text)
        except (OSError, ValueError):
            self._let_go()
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        if self._gone:
            return
        try:
            self._stream.flush()
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._let_go()

    def _let_go(self) -> None:
        """Nobody reads: what is left in buffers goes nowhere, or the interpreter's last flush fails the process."""
        self._gone = True
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)
