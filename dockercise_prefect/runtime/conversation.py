"""What an engine gives to talk with a running container."""

from __future__ import annotations

from typing import Protocol


class Conversation(Protocol):
    """A running container that answers what it is sent. Both methods raise `EngineError` if it has ended."""

    def ask(self, line: str) -> str:
        """Send one line, return the next line of stdout."""
        ...

    def exchange(self, data: bytes, size: int) -> bytes:
        """Send bytes, return the next `size` bytes of stdout."""
        ...

    def close(self) -> None:
        """Close the stream. The container sees the end of its input."""
        ...
