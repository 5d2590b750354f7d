"""Starts the guardian of a run, and ends it (docs/adr/0039).

Prefect's workers kill the process of a flow run 30 seconds after they have asked it to end, and at once when they end
themselves. A guardian is not a part of what they kill: it is a session of its own. If the flow run is in a container, it is a
container of the same image.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from types import TracebackType
from typing import IO, Self, cast

from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.orchestration.guard.message import Told
from dockercise_prefect.orchestration.guard.words import DONE, READY
from dockercise_prefect.runtime.cleanup.labels import GUARDIAN, Labels, RunIdentity
from dockercise_prefect.runtime.cleanup.ownership import ContainerStart, Owner, this_process
from dockercise_prefect.runtime.cleanup.processes import start_of
from dockercise_prefect.runtime.conversation import Conversation
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine

COMMAND = ("-m", "dockercise_prefect.orchestration.takeover.guardian_process")

LAST_SECONDS = 30.0
"""How many seconds a guardian has to end when it is not needed any more."""


class Guardian:
    """The guardian of one run. A context manager: at its end, the run has ended, and the guardian ends too.

    Without `begin`, there is none.
    """

    def __init__(self) -> None:
        self._talk: Conversation | _GuardianProcess | None = None
        self._container: str | None = None
        self._volume: str | None = None

    def __enter__(self) -> Self:
        """The run begins."""
        return self

    def begin(self, told: Told, identity: RunIdentity, engine: Engine) -> Owner:
        """Start the guardian, and return its process.

        Args:
            told: what it needs.
            identity: of the run.
            engine: where the stages of the run are. Only there can a guardian be a container.

        Raises:
            EngineError, OSError: it cannot be started.
        """
        own = this_process(engine)
        container = ContainerStart.parse(own.host)
        if container is None:
            process = _GuardianProcess()
            self._talk, owner = process, replace(own, pid=process.pid, start=start_of(process.pid) or "")
        else:
            labels = Labels(identity, str(own), {GUARDIAN: "true"})
            name, command = labels.name("guardian"), [sys.executable, *COMMAND]
            self._container = engine.create_twin(container.id, name, command, labels.of_run())
            self._talk, owner = engine.converse(self._container), _owner_in(engine, self._container)
        if self._talk.ask(told.to_json()) != READY:
            raise EngineError("it has ended at once")
        labels = Labels(identity, str(owner), {GUARDIAN: "true"})
        self._volume = labels.name("guardian")
        engine.create_volume(self._volume, labels.of_run())
        return owner

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """The run has ended, and there is nothing to finish."""
        if self._talk is not None:
            with suppress(DockerciseError, OSError):
                self._talk.ask(DONE)
            self._talk.close()
        if self._volume is not None or self._container is not None:
            with suppress(EngineError), closing(DockerEngine.connect()) as engine:  # that of the run is closed
                if self._container is not None:
                    engine.remove(self._container)
                if self._volume is not None:
                    engine.remove_volume(self._volume)


class _GuardianProcess:
    """A guardian in a session of its own, to talk with as in a `Conversation`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        self._input, self._output = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        self.pid = self._process.pid

    def ask(self, line: str) -> str:
        """See `Conversation`."""
        self._input.write(f"{line}\n")
        self._input.flush()
        return self._output.readline().rstrip("\n")

    def close(self) -> None:
        """See `Conversation`."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=LAST_SECONDS)
        self._process.kill()
        self._process.wait()


def _owner_in(engine: Engine, container: str) -> Owner:
    """The first process of a container that was started now."""
    started = engine.running(container)
    if started is None:
        raise EngineError("its container has ended at once")
    return Owner(str(ContainerStart(container, started.since)), "", "", "", 1, "")
