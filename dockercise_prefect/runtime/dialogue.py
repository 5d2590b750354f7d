"""A conversation between a user and a container: the protocols of both sides."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from dockercise_prefect.runtime.engine import Engine, ExitState
from dockercise_prefect.runtime.output_sink import Channel


class Size(NamedTuple):
    """The size of a terminal's window, in characters."""

    rows: int
    columns: int


class Dialogue(Protocol):
    """The user's side."""

    @property
    def size(self) -> Size | None:
        """The size of the user's terminal now; None if the user has none, for example if the input is a pipe."""
        ...

    def going_on(self) -> AbstractContextManager[None]:
        """Inside, a terminal passes on each key, Ctrl-C included. Afterwards, it is as it was before."""
        ...

    def read(self, patience: float) -> bytes | None:
        """The next input; empty at its end, and None if nothing came for `patience` seconds."""
        ...

    def write(self, channel: Channel, chunk: bytes) -> None:
        """Show output.

        Raises:
            OSError: nobody reads it any more.
        """
        ...


class InteractiveEngine(Engine, Protocol):
    """An engine whose containers a user can talk to."""

    def interact(self, container: str, dialogue: Dialogue) -> ExitState:
        """Attach, start, pass on input and output until the container ends. In place of `run`, at most once per container.

        If the container has a terminal (`ContainerSpec.terminal`), its window gets the size of the user's, also later.

        Raises:
            ContainerVanishedError: the container was removed while it ran.
            EngineError: the engine does not answer.
            OSError: nobody reads the output any more. The container may still run.
        """
        ...
