"""A command as a process that goes on while the test does something."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread

PATIENCE = 300
"""Seconds that a run may take to print its next line, or to end."""


@contextmanager
def running(folder: Path, environment: dict[str, str], name: str = "run") -> Iterator[tuple[subprocess.Popen[str], Queue[str]]]:
    """A command as a process, by default `run`, and its lines as they come."""
    command = [sys.executable, "-m", "dockercise_prefect", name, "-C", str(folder)]
    lines: Queue[str] = Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        assert process.stdout is not None

        def read() -> None:
            for line in process.stdout or ():
                lines.put(line)

        Thread(target=read, daemon=True).start()
        try:
            yield process, lines
        finally:
            process.kill()


def until(lines: Queue[str], text: str) -> str:
    """The next line with this text."""
    while text not in (line := lines.get(timeout=PATIENCE)):
        pass
    return line
