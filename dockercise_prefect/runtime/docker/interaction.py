"""Connects a user with a container: input, output, and the size of the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Final, Self, TypeAlias

from docker import APIClient

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.dialogue import Dialogue, Size
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.docker.streams import SILENCE, FrameSplitter, NoFrames, Wire, attach, pump

_LOOK: Final = 0.2
"""Seconds after which the size of the user's terminal is looked at again."""

Interact: TypeAlias = Callable[[Callable[[], bool]], None]
"""Passes on input and output until the output ends. Its argument says whether the container still runs."""


@contextmanager
def interaction(client: APIClient, container: str, dialogue: Dialogue) -> Iterator[Interact]:
    """Attach to a container that has not been started.

    Args:
        client: of the engine.
        container: the id of the container.
        dialogue: the user's side. If it has a size, the container has a terminal.

    Raises:
        EngineError: the engine refused.
    """
    with ExitStack() as stack:
        with engine_errors(f"cannot attach to container {container[:12]}"):
            output = stack.enter_context(closing(attach(client, container, "stdout", "stderr")))
            keys = stack.enter_context(_Keys(client, container, dialogue, attach(client, container, "stdin")))
        stack.enter_context(dialogue.going_on())
        splitter = FrameSplitter() if dialogue.size is None else NoFrames()

        def interact(is_running: Callable[[], bool]) -> None:
            keys.start()
            pump(output.read, dialogue.write, is_running, SILENCE, splitter)

        yield interact


class _Keys:
    """Sends the user's input, and the size of the user's terminal, from a thread."""

    def __init__(self, client: APIClient, container: str, dialogue: Dialogue, wire: Wire) -> None:
        self._client = client
        self._container = container
        self._dialogue = dialogue
        self._wire = wire
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._size: Size | None = None

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._send, name="keys", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._wire.shut()
        if self._thread is not None:
            self._thread.join()
        self._wire.close()

    def _send(self) -> None:
        # A container may end without reading, and a lost engine is noticed where the output is read.
        with suppress(EngineError):
            while not self._over.is_set():
                self._resize()
                data = self._dialogue.read(_LOOK)
                if data == b"":
                    break
                if data:
                    self._wire.send(data, None)
        self._wire.shut()

    def _resize(self) -> None:
        size = self._dialogue.size
        if size is None or size == self._size:
            return
        with suppress(EngineError), engine_errors("cannot set the size of the terminal"):  # it may have just ended
            self._client.resize(self._container, size.rows, size.columns)
            self._size = size
