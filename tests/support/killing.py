"""Kills runs of the command with SIGKILL, at a moment that the test chooses, and looks at what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dockercise_prefect.runtime.engine import Engine, Leftover
from tests.support.prefect import prefect_records

LONGEST = 120.0
"""Seconds after which a run that was not killed yet is killed anyway."""


class VictimRun:
    """A process of `dockercise run` that is going to be killed.

    Args:
        folder: the folder of the pipeline.
        environment: of the process.
        arguments: further arguments of `run`.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(folder), *arguments]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._changed = threading.Condition()
        self._said = ""
        self._reader.start()

    @property
    def said(self) -> str:
        """What the process has printed so far."""
        with self._changed:
            return self._said

    def wait_for(self, text: str) -> None:
        """Wait until the process has printed a text, or has ended."""
        with self._changed:
            self._changed.wait_for(lambda: text in self._said or self._process.poll() is not None, LONGEST)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, or the process has ended."""
        until = time.monotonic() + LONGEST
        while not holds() and self._process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)

    def live(self, seconds: float) -> None:
        """Let the process live for so many seconds, or until it ends by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def kill(self) -> bool:
        """Kill the process and all that it has started. Return whether it was still alive."""
        was_alive = self._process.poll() is None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            was_alive = False
        self._process.wait()
        self._reader.join(LONGEST)
        return was_alive

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._said += line
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


@contextmanager
def victim(folder: Path, environment: Mapping[str, str], *arguments: str) -> Iterator[VictimRun]:
    """A run that is killed at the end of the body at the latest."""
    run = VictimRun(folder, environment, arguments)
    try:
        yield run
    finally:
        run.kill()


def left_on(engine: Engine, pipeline: str) -> list[Leftover]:
    """Everything that runs of a pipeline have left on an engine."""
    return [leftover for leftover in engine.leftovers() if leftover.labels.get("dockercise.pipeline") == pipeline]


def flow_runs_of(api: str, pipeline: str) -> list[dict[str, object]]:
    """The flow runs of a pipeline in Prefect."""
    found: list[dict[str, object]] = prefect_records.ask(
        api, "flow_runs/filter", {"flow_runs": {"tags": {"all_": [f"pipeline:{pipeline}"]}}, "limit": prefect_records.PAGE}
    )
    return found


def states_of(api: str, pipeline: str) -> list[str]:
    """The types of the states of these flow runs."""
    return [str(run["state_type"]) for run in flow_runs_of(api, pipeline)]
