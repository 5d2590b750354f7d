"""A connection to the engine that a test can cut; for its users, the engine has then gone away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Line:
    """Passes all data on between its own socket and that of the engine.

    Attributes:
        url: where users connect.
    """

    def __init__(self, path: Path, engine: str) -> None:
        self.url = f"unix://{path}"
        self._engine = engine
        self._ends: list[socket.socket] = []
        self._asked: dict[socket.socket, bytes] = {}
        self._swallowed: bytes | None = None
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """From now on pass nothing on and end nothing, so that the engine seems not to answer any more."""
        self._open.clear()

    def cut(self) -> None:
        """End all connections and accept no more."""
        self._open.set()
        with self._lock:
            for end in (self._listener, *self._ends):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def end_stream(self, of: str) -> None:
        """End one kind of connection in order, as a gateway does after a long time without traffic.

        Args:
            of: a part of its request, for example `stdout=1`.
        """
        with self._lock:
            tired = [end for end, asked in self._asked.items() if of.encode() in asked]
        for end in tired:
            end.shutdown(socket.SHUT_RDWR)

    def swallow(self, of: str) -> None:
        """From now on, data after the request on one kind of connection ends the connection and does not arrive."""
        self._swallowed = of.encode()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self._engine)
                with self._lock:
                    self._ends += [ours, theirs]
                threading.Thread(target=self._listen, args=(ours, theirs), daemon=True).start()
                threading.Thread(target=_pass_on, args=(theirs, ours, self._open), daemon=True).start()

    def _listen(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError):
            while data := ours.recv(65536):
                self._open.wait()
                with self._lock:
                    if self._swallowed and self._swallowed in self._asked.get(ours, b""):
                        break
                    self._asked[ours] = (self._asked.get(ours, b"") + data)[-1024:]
                theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)


@contextmanager
def line_to(engine_url: str, folder: Path) -> Iterator[Line]:
    """A line to the engine at a local socket, which is cut at the end."""
    line = Line(folder / "engine.sock", engine_url.removeprefix("unix://"))
    try:
        yield line
    finally:
        line.cut()


def _pass_on(source: socket.socket, sink: socket.socket, is_open: threading.Event) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            is_open.wait()
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
