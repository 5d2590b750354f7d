"""A text stream that never makes a run fail, even if its pipe is closed or its encoding lacks characters."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


class ForgivingStream:
    """Writes to a stream until its reader has left.

    Args:
        stream: stdout or stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The file descriptor, which gives the size of the terminal."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write the text. `?` replaces characters that the encoding does not have."""
        if self._gone:
            return len(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            return self.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except BlockingIOError:  # the pipe is non-blocking and nobody reads: only this piece is lost
            return len(text)
        except (OSError, ValueError):
            self._let_go()
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        if self._gone:
            return
        try:
            self._stream.flush()
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._let_go()

    def _let_go(self) -> None:
        """Discard buffered output, since nobody reads it. Otherwise, the last flush of the interpreter would fail."""
        self._gone = True
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)
