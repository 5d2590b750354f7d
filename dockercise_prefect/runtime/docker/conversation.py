"""A conversation with a container that answers each line with a line."""

from __future__ import annotations

import time

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.streams import FrameSplitter, Wire

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
        self._input.send(f"{line}\n".encode(), ANSWER_SECONDS)
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self._heard:
            data = self._output.read(max(deadline - time.monotonic(), 0.001))
            if data is None:
                raise EngineError(f"the container did not answer within {ANSWER_SECONDS:.0f} s")
            if not data:
                raise EngineError("the container ended instead of answering")
            self._heard += b"".join(chunk for _, chunk in self._splitter.feed(data))
        answer, _, self._heard = self._heard.partition(b"\n")
        return answer.decode(errors="replace")

    def close(self) -> None:
        """Close both streams. The container sees the end of its input."""
        self._input.close()
        self._output.close()
