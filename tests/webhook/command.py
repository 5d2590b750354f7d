"""`dockercise webhook` in a separate process, connected to the scripted world."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_PROGRAM = """
import signal
import sys
from types import ModuleType
from dockercise_prefect.cli import main
from tests.webhook.scripted_world import open_scripted_hub

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` has the tests ignore it, and so would this process

world = sys.argv.pop(1)
hub = ModuleType("dockercise_prefect.webhook.receiver.prefect_hub")
hub.PrefectHub = lambda settings: open_scripted_hub(world)
sys.modules[hub.__name__] = hub
main()
"""
"""The command finds our module where it looks for the module of the real hub, because the real one imports Prefect, which takes
seconds each time."""


class Command:
    """A running command: its lines and its end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []

    def line(self, pattern: str) -> re.Match[str]:
        """Read up to the next line that contains a pattern."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"{pattern!r} is in none of {self.lines}")

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; returns the exit status and the output from then on."""
        self._process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """The exit status and the output up to the end."""
        out, _ = self._process.communicate(timeout=120)
        return self._process.returncode, out

    def interrupt(self, number: signal.Signals) -> None:
        """Send a signal without waiting."""
        self._process.send_signal(number)


@contextmanager
def running(world: Path, data: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Command]:
    """Start the command; its stderr is included in its lines. If it has not ended at the end, it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(world), "webhook", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKERCISE_DATA": str(data), **(environment or {})},
    )
    try:
        yield Command(process)
    finally:
        process.kill()
        process.communicate()
