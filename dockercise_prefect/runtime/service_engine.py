"""What an engine does for services: networks of their own, and commands in a container that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

LONGEST_OUTPUT = 65_536
"""Bytes of the output of a command that are kept: the last ones."""


@dataclass(frozen=True, slots=True)
class Executed:
    """How a command ended that was run in a container.

    Attributes:
        output: the last `LONGEST_OUTPUT` bytes that it printed, on both channels.
    """

    exit_code: int
    output: bytes


class ServiceEngine(Protocol):
    """A part of `engine.Engine`, with the same rules."""

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """A network that only the containers are on that are created with it. They reach each other by their aliases."""
        ...

    def remove_network(self, name: str) -> None:
        """Remove a network on which no container runs. Does nothing if it does not exist."""
        ...

    def execute(self, container: str, command: Sequence[str], stdin: bytes | None) -> Executed:
        """Run a command in a container that runs: with its user, working directory and stored variables. Wait for its end.

        If the container ends first, so does the command. It may leave a part of its input unread. A command that does not exist
        ends with exit code 126 or 127.

        Args:
            container: its id.
            command: the program and its arguments.
            stdin: what it reads, which is not stored. The input does not end after it. None for an empty input.

        Raises:
            EngineError: the container does not run.
        """
        ...
