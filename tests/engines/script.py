"""What the containers and builds of a scripted engine do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import ATTEMPT
from dockercise_prefect.runtime.engine import ContainerSpec, EngineLostError
from tests.engines.container import Behaviour


@dataclass(frozen=True, slots=True)
class Run:
    """One container that ran, and its input."""

    container: str
    spec: ContainerSpec
    stdin: bytes


@dataclass(slots=True)
class Fault:
    """What the next calls of a method raise, and how many of them."""

    error: EngineError
    times: int


class Script:
    """Behaviours, each for containers whose command or input has a text, and for builds whose Dockerfile has it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Behaviour, ...]] = {}

    def add(self, text: str, behaviours: tuple[Behaviour, ...]) -> None:
        """The n-th behaviour is that of the n-th attempt at a stage, and the last one that of all later attempts.

        What was added for the same text before is replaced.
        """
        self._known[text] = behaviours

    def clear(self) -> None:
        """Forget all behaviours."""
        self._known.clear()

    def of_container(self, spec: ContainerSpec, stdin: bytes) -> Behaviour:
        """What a container does with its standard input."""
        return self.of(given(spec, stdin), spec.labels)

    def of(self, text: bytes, labels: Mapping[str, str]) -> Behaviour:
        """What something does that was given this text."""
        behaviours = next((found for part, found in self._known.items() if part.encode() in text), (Behaviour(),))
        return behaviours[min(int(labels.get(ATTEMPT, 1)), len(behaviours)) - 1]


def given(spec: ContainerSpec, stdin: bytes) -> bytes:
    """The command and the input of a container, as one text."""
    return "\n".join(spec.command).encode() + b"\n" + stdin


def no_answer() -> EngineLostError:
    """What every call raises once the engine is dead."""
    return EngineLostError("the engine at scripted:// does not answer", "is it still running?")
