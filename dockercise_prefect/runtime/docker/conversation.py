"""A conversation with a container that answers what it is sent, and commands that are run in a container."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

from docker import APIClient

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.streams import FrameSplitter, Wire, hijacked, pump
from dockercise_prefect.runtime.output_sink import Channel
from dockercise_prefect.runtime.service_engine import LONGEST_OUTPUT, Executed

ANSWER_SECONDS = 60.0
"""Seconds that an answer may take: the first one of a program in Python takes a while on a busy machine."""


class DockerConversation:
    """The `Conversation` of `runtime.engine` over two attached streams."""

    def __init__(self, input_: Wire, output: Wire) -> None:
        self._input = input_
        self._output = output
        self._splitter = FrameSplitter()
        self._heard = b""

    def ask(self, line: str) -> str:
        """Send one line, return the next line of stdout.

        Raises:
            EngineError: the container has ended, or does not answer in time.
        """
        self._say(f"{line}\n".encode(), lambda: b"\n" in self._heard)
        answer, _, self._heard = self._heard.partition(b"\n")
        return answer.decode(errors="replace")

    def exchange(self, data: bytes, size: int) -> bytes:
        """Send bytes, return the next `size` bytes of stdout.

        Raises:
            EngineError: the container has ended, or does not answer in time.
        """
        self._say(data, lambda: len(self._heard) >= size)
        answer, self._heard = self._heard[:size], self._heard[size:]
        return answer

    def _say(self, data: bytes, is_answered: Callable[[], bool]) -> None:
        """Send something, and listen until the answer is there."""
        self._input.send(data, ANSWER_SECONDS)
        deadline = time.monotonic() + ANSWER_SECONDS
        while not is_answered():
            heard = self._output.read(max(deadline - time.monotonic(), 0.001))
            if heard is None:
                raise EngineError(f"the container did not answer within {ANSWER_SECONDS:.0f} s")
            if not heard:
                raise EngineError("the container ended instead of answering")
            self._heard += b"".join(chunk for _, chunk in self._splitter.feed(heard))

    def close(self) -> None:
        """Close both streams. The container sees the end of its input."""
        self._input.close()
        self._output.close()


def execute(client: APIClient, container: str, command: Sequence[str], stdin: bytes | None) -> Executed:
    """See `ServiceEngine`. The engine reports a command that does not exist in its output.

    Raises:
        DockerException, requests.RequestException, EngineError: the engine does not answer, or refuses.
    """
    id_: str = client.exec_create(container, list(command), stdin=stdin is not None)["Id"]
    output = _Output()
    # Input and output have one connection here, which is never half-closed: the boot knows where its input ends.
    with closing(hijacked(client, f"/exec/{id_}/start", json={"Detach": False, "Tty": False})) as wire:
        if stdin is not None:
            wire.send(stdin, ANSWER_SECONDS)
        pump(wire.read, output.add, lambda: bool(client.exec_inspect(id_)["Running"]))
    return Executed(client.exec_inspect(id_)["ExitCode"], output.last)


class _Output:
    def __init__(self) -> None:
        self.last = b""

    def add(self, _channel: Channel, chunk: bytes) -> None:
        self.last = (self.last + chunk)[-LONGEST_OUTPUT:]
