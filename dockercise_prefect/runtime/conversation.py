"""What an engine gives to talk with a running container."""

from __future__ import annotations

from typing import Protocol


class Exchange(Protocol):
    """A running container that answers bytes with bytes."""

    def exchange(self, data: bytes, size: int) -> bytes:
        """Send bytes, return the next `size` bytes of stdout. Raises `EngineError` if the container has ended."""
        ...

    def close(self) -> None:
        """Close the stream. The container sees the end of its input."""
        ...


class Conversation(Exchange, Protocol):
    """A running container that also answers lines with lines."""

    def ask(self, line: str) -> str:
        """Send one line, return the next line of stdout. Raises `EngineError` if the container has ended."""
        ...
