"""A command on a pseudo-terminal, as if a user sat at it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 120.0
"""Seconds that the next text may take, or the end."""


class PseudoTerminal:
    """A command that has a terminal, which also sends it SIGHUP. A context manager; at its end, the command is killed.

    Args:
        command: the command and its arguments.
        folder: the working folder.
        environment: its variables.
        rows: the height of the window.
        columns: the width of the window.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: dict[str, str], *, rows: int = 24, columns: int = 80
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  tests start it from one thread
        )
        self._is_open = True
        self._seen = b""
        self._all = b""

    @property
    def seen(self) -> str:
        """Everything that was shown."""
        return self._all.decode(errors="replace")

    @property
    def settings(self) -> list[object]:
        """The settings of the terminal now."""
        return list(termios.tcgetattr(self._theirs))

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def until(self, text: str) -> str:
        """Wait until this text is shown. Return what was shown up to it, since the last call."""
        wanted, deadline = text.encode(), time.monotonic() + PATIENCE
        while wanted not in self._seen:
            assert time.monotonic() < deadline, f"{text!r} is not shown, but {self.seen!r}"
            ready, _, _ = select.select([self._ours], [], [], 0.5)
            if ready:
                chunk = os.read(self._ours, 65536)
                self._seen += chunk
                self._all += chunk
            else:
                assert self.process.poll() is None, f"it has ended without {text!r}: {self.seen!r}"
        before, _, self._seen = self._seen.partition(wanted)
        return (before + wanted).decode(errors="replace")

    def hang_up(self) -> None:
        """Close the window."""
        self._is_open = False
        os.close(self._theirs)
        os.close(self._ours)

    def end(self) -> int:
        """Wait until the command has ended. Return its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen!r}"
            if select.select([self._ours], [], [], 0.2)[0]:
                self._all += os.read(self._ours, 65536)
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self._is_open:
            self.hang_up()
