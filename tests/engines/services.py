"""What the scripted engine does for services (`runtime.service_engine.ServiceEngine`)."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import ATTEMPT
from dockercise_prefect.runtime.engine import Leftover
from dockercise_prefect.runtime.service_engine import Executed
from tests.engines.container import ScriptedContainer
from tests.engines.script import Run, Script

PATIENCE = 120.0
"""A number of seconds after which a test fails instead of waiting for ever."""


class ScriptedServices(ABC):
    """A part of the scripted engine.

    Attributes:
        executed: every command that was executed in a container, with its input.
        networks: the networks that were created, by their names.
    """

    def __init__(self) -> None:
        self.executed: list[Run] = []
        self.networks: dict[str, Leftover] = {}
        self._script = Script()
        self._changed = threading.Condition(threading.RLock())

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        self._called("create_network")
        with self._changed:
            self.networks[name] = Leftover("network", name, labels)

    def remove_network(self, name: str) -> None:
        self._called("remove_network")
        with self._changed:
            if any(each.running and each.spec.network == name for each in self._containers()):
                raise EngineError(f"cannot remove network {name}: it has active endpoints")
            self.networks.pop(name, None)

    def execute(self, container: str, command: Sequence[str], stdin: bytes | None) -> Executed:
        self._called("execute")
        with self._changed:
            found = self._existing(container)
            if not found.running:
                raise EngineError(f"cannot run a command in {found.spec.name}: it does not run")
            text = "\n".join(command).encode() + b"\n" + (stdin or b"")
            self.executed.append(Run(container, found.spec, text))
            behaviour = self._script.of(text, {ATTEMPT: str(sum(each.stdin == text for each in self.executed))})
        return found.execute(behaviour, PATIENCE)

    @abstractmethod
    def _called(self, method: str) -> None: ...

    @abstractmethod
    def _existing(self, id_: str) -> ScriptedContainer: ...

    @abstractmethod
    def _containers(self) -> Iterable[ScriptedContainer]: ...
