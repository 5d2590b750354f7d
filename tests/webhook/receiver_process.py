"""A receiver in a separate process, which can be killed.

Run as a program, it is that process: `python -m tests.webhook.receiver_process MODULE:NAME ARGUMENT DATA PORT`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from dockercise_prefect.http_server import address_of
from dockercise_prefect.webhook.receiver.receiver import Receiver
from dockercise_prefect.webhook.receiver.server import listen, serve
from tests.webhook.receiving import BRISK, ScriptedStatuses

ROOT = Path(__file__).resolve().parents[2]


class ReceiverProcess:
    """Starts and kills the receiver; all its processes have the same address."""

    def __init__(self, elsewhere: tuple[str, str], data: Path) -> None:
        self._arguments = [sys.executable, "-m", "tests.webhook.receiver_process", *elsewhere, str(data)]
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._process = subprocess.Popen(
            [*self._arguments, str(self._port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the receiver did not start"
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """Kill it without warning."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; returns its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process = self._process
        if process is None:
            return 0
        self._process = None
        process.send_signal(number)
        process.communicate(timeout=120)
        return process.returncode


def main(arguments: Sequence[str]) -> None:
    """Run the receiver in this process."""
    maker, argument, data, port = arguments
    module, _, name = maker.partition(":")
    listener = listen("127.0.0.1", int(port))
    receiver = Receiver(
        hub=getattr(import_module(module), name)(argument),
        open_statuses=ScriptedStatuses().open,
        data=Path(data),
        own_secret=None,
        say=lambda _line: None,
        pace=BRISK,
    )
    receiver.start()
    asyncio.run(serve(receiver.app, listener, lambda: _say(address_of(listener))))
    receiver.stop()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
