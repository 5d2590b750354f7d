"""A port that nobody listens on."""

from __future__ import annotations

import socket


def free_port(address: str = "127.0.0.1") -> int:
    """A free port of an address of this machine."""
    with socket.socket() as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])
