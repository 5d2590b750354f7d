"""Processes of rounds, each started before its round begins (`round_process`)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from dockercise_prefect.cli.watching.rounds import Round, round_of

COMMAND = (sys.executable, "-P", "-m", "dockercise_prefect.cli.watching.round_process")


class PreparedRounds:
    """Runs one round at a time, and has the process of the next one ready (`loop.Rounds`).

    The processes do not belong to the terminal, so Ctrl-C reaches only the process that watches, which passes it on.

    Args:
        arguments: the command `run` with options, the same for all rounds.
        targets: the stages to run.
        ended: called with each round that has ended, in a thread of its own.
    """

    def __init__(self, arguments: Sequence[str], targets: Sequence[str], ended: Callable[[Round], None]) -> None:
        self._arguments = list(arguments)
        self._targets = list(targets)
        self._ended = ended
        self._next: subprocess.Popen[bytes] | None = _prepared()
        self._current: subprocess.Popen[bytes] | None = None

    def begin(self, resumed: Sequence[str]) -> None:
        """Begin a round that resumes these runs."""
        process = _prepared() if self._next is None else self._next
        self._next, self._current = None, process
        arguments = [*self._arguments, *(f"--resume={run_id}" for run_id in resumed), "--", *self._targets]
        assert process.stdin is not None  # noqa: S101  it was started with a pipe
        with suppress(BrokenPipeError):  # it has died, which its end says
            process.stdin.write(f"{json.dumps(arguments)}\n".encode())
            process.stdin.close()
        Thread(target=self._wait_for, args=(process,), daemon=True).start()

    def stop(self, number: signal.Signals) -> None:
        """Ask the round to end, with a signal, as `run` is asked. Nothing happens if it has ended."""
        if self._current is not None:
            self._current.send_signal(number)

    def prepare(self) -> None:
        """Start the process of the next round."""
        if self._next is None:
            self._next = _prepared()

    def close(self) -> None:
        """End all processes. A round that goes on is asked to end, and is waited for."""
        if self._next is not None:
            self._next.kill()  # it has done nothing yet
            self._next.communicate()
        if self._current is not None:
            self.stop(signal.SIGTERM)
            self._current.wait()

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  it was started with a pipe
        printed = process.stdout.read()
        process.stdout.close()
        status = process.wait()
        self._ended(round_of(status, _summary(printed)))


def _prepared() -> subprocess.Popen[bytes]:
    # With `--json`, a run shows itself on standard error, and prints its summary at the end.
    return subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stdout.fileno(), start_new_session=True
    )


def _summary(printed: bytes) -> dict[str, Any] | None:
    """The summary that a run printed; None if it was ended before it could."""
    with suppress(ValueError):
        found = json.loads(printed)
        return found if isinstance(found, dict) else None
    return None
