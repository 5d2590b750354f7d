"""One service: its container, what it prints, and whether it is ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.engine import ContainerSpec, ContainerVanishedError, ExitState
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.stage.boot import SHELL, Launch, launch, launch_program
from dockercise_prefect.runtime.stage.capture import Capture
from dockercise_prefect.runtime.stage.job import Job, ServiceJob
from dockercise_prefect.runtime.stage.ports import Ports
from dockercise_prefect.runtime.stage.script_file import script_mounts
from dockercise_prefect.runtime.stage.values import opened_values
from dockercise_prefect.runtime.stage.variables import Variables, container_variables

SHORTEST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds between two checks of whether a service is ready: each pause is twice as long as the one before."""

LAST_LINES: Final = 5
"""How many lines of a failed check a message shows."""


@dataclass(frozen=True, slots=True)
class ServiceEnd:
    """How a service ended, or why it could not run.

    Attributes:
        state: as the engine recorded it; None if nobody knows.
        error: why it could not run, or why its end is not known.
    """

    state: ExitState | None = None
    error: DockerciseError | None = None

    @property
    def in_words(self) -> str:
        """What happened, in words that follow the name of the service."""
        if self.state is None:
            return f"failed: {self.error}"
        if self.state.start_error is not None:
            return f"could not be started: {self.state.start_error}"
        if self.state.oom_killed:
            return f"ran out of memory (exit code {self.state.exit_code})"
        return f"ended with exit code {self.state.exit_code}"

    @property
    def is_failure(self) -> bool:
        """Whether it is an error if the service ended like this after it was ready."""
        return self.state is None or self.state.exit_code != 0


class ServiceContainer:
    """A service from its creation to its removal. Threads of its own run it and check whether it is ready.

    Args:
        service: what it is made from.
        job: the attempt that it belongs to.
        ports: everything else that it uses.
        labels: of the attempt.
        volumes: makes volumes of the attempt.
        changed: called, from other threads, when it is ready and when it has ended.
    """

    def __init__(  # noqa: PLR0917  what a container is made from
        self, service: ServiceJob, job: Job, ports: Ports, labels: Labels, volumes: Volumes, changed: Callable[[], None]
    ) -> None:
        self.name = service.name
        self.allowed = service.ready.timeout
        self._service = service
        self._job = job
        self._ports = ports
        self._labels = labels
        self._volumes = volumes
        self._changed = changed
        self._over = threading.Event()
        self._id: str | None = None
        self._runner: threading.Thread | None = None
        self._variables = Variables({}, {})
        self._check = ""
        self._capture = Capture(lambda _: None, ports.masker, ports.beside(service.name), self._give_up)
        self.began = time.monotonic()
        self.is_ready = False
        self.end: ServiceEnd | None = None

    def start(self) -> None:
        """Create and start it. Returns when it was created.

        Raises:
            DockerciseError: it cannot be created.
        """
        self._variables = self._read_variables()
        how = launch(self._service.stage.run, self._service.image, self._variables.unseen)
        self._id = self._ports.engine.create(self._spec(how))
        self.began = time.monotonic()
        self._runner = threading.Thread(target=self._run, args=(self._id, how), name="dockercise-service", daemon=True)
        self._runner.start()
        threading.Thread(target=self._get_ready, args=(self._id,), name="dockercise-service-ready", daemon=True).start()

    def stop(self, grace: float) -> None:
        """Let it end, with so many seconds of grace. May be called several times.

        Raises:
            EngineError: the engine refused.
        """
        self._over.set()
        if self._id is not None:
            self._ports.engine.stop(self._id, grace)

    def remove(self) -> None:
        """Remove it, and wait until all that it printed was passed on."""
        self._over.set()
        if self._id is not None:
            with suppress(EngineError):  # it is removed with the rest of the run
                self._ports.engine.remove(self._id)
        if self._runner is not None:
            self._runner.join()

    @property
    def has_check(self) -> bool:
        """Whether something says when it is ready. Otherwise, it is ready when it has started."""
        return self._service.ready.run is not None or bool(self._service.image.health_check)

    @property
    def last_lines(self) -> str:
        """The last lines that it printed, masked; empty if it printed nothing."""
        return self._capture.tail.text()

    @property
    def last_check(self) -> str:
        """The last lines of the last check that failed, masked; empty if there are none."""
        return self._check

    def _read_variables(self) -> Variables:
        with opened_values(self._service.variables, self._job.inputs, self._ports.outputs) as values:
            return container_variables(
                self._service.variables,
                script=self._service.stage.run,
                always={},
                values=values,
                texts=self._ports.texts.of(self._service.stage.name),
                secrets=self._job.secrets,
            )

    def _spec(self, how: Launch) -> ContainerSpec:
        service, stage, confinement = self._service, self._service.stage, self._job.confinement
        return ContainerSpec(
            name=self._labels.name(stage.name),
            image=service.image.id,
            command=how.command,
            labels=self._labels.of_run(),
            env=self._variables.stored,
            mounts=(*service.mounts, *script_mounts(how, self._volumes, service.image.id)),
            working_dir="",  # that of the image, which its own command may need
            user=stage.user,
            network=service.network,
            aliases=service.aliases,
            platform=stage.platform,
            cpus=stage.cpus,
            memory=stage.memory,
            pids=confinement.pids,
            dropped=confinement.dropped,
            stdin=how.stdin is not None,
        )

    def _run(self, container: str, how: Launch) -> None:
        """Run it to its end. Its own thread."""
        sink = self._job.confinement.printing(self._capture, lambda stop: self._give_up(stop.message))
        try:
            end = ServiceEnd(self._ports.engine.run(container, how.stdin, sink))
        except (ContainerVanishedError, DockerciseError) as error:
            end = ServiceEnd(error=error)
        self._capture.finish()
        self.end = self.end or end
        self._changed()

    def _give_up(self, why: str) -> None:
        """Let it fail, because nobody takes what it prints."""
        self.end = self.end or ServiceEnd(error=EngineError(why))
        self._changed()

    def _get_ready(self, container: str) -> None:
        """Check until it is ready. Its own thread, which ends at the latest when the container was removed."""
        pause = SHORTEST_PAUSE
        while not (self._over.is_set() or self.end):
            if self._has_succeeded(container):
                self.is_ready = True
                self._changed()
                return
            self._over.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _has_succeeded(self, container: str) -> bool:
        """Whether it runs, and its check says that it is ready."""
        ready, engine = self._service.ready, self._ports.engine
        try:
            if engine.running(container) is None:
                return False
            if not self.has_check:
                return True
            command = (SHELL, "-e", "-c", ready.run) if ready.run is not None else self._service.image.health_check
            # The engine gives a command only the variables that are stored.
            check = launch_program(command, self._variables.unseen)
            executed = engine.execute(container, check.command, check.stdin)
        except EngineError as error:  # it may have just ended, which is seen where it is run
            self._check = error.message
            return False
        self._check = self._shown(executed.output)
        return executed.exit_code == 0

    def _shown(self, output: bytes) -> str:
        stream = self._ports.masker.stream()
        masked = stream.feed(output) + stream.flush()
        return "\n".join(masked.decode("utf-8", "replace").rstrip().splitlines()[-LAST_LINES:])
