"""Calls of methods of an object in another process, over a Unix socket: each call is a connection.

Arguments and results are pickled. One argument may be an iterable of bytes and one may be a function: while the method runs,
the other side requests the next piece or a call. A method may return an iterator; the caller then requests its pieces.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, TypeAlias

Request: TypeAlias = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Pieces:
    """Stands for the argument that is an iterable."""


@dataclass(frozen=True)
class Function:
    """Stands for the argument that is a function."""


class PortLine:
    """Answers calls until it is closed.

    Args:
        path: the path of the socket.
        target: the object whose methods are called.
    """

    def __init__(self, path: str, target: object) -> None:
        self._target = target
        self._listener = Listener(path, family="AF_UNIX", backlog=64)
        self._closed = False
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Answer no more calls."""
        self._closed = True
        with suppress(OSError):  # wakes up the thread that waits for a connection
            Client(self._listener.address, family="AF_UNIX").close()
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            line = self._listener.accept()
            if self._closed:
                line.close()
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: Connection[Any, Any]) -> None:
        with closing(line), suppress(EOFError, OSError):
            method, arguments = line.recv()
            try:
                result = getattr(self._target, method)(*(_nearby(line, argument) for argument in arguments))
                if not isinstance(result, Iterator):
                    line.send(("result", result))
                    return
                line.send(("pieces", None))
                _hand_out(line, result)
            except (EOFError, ConnectionError):
                raise
            except Exception as error:  # noqa: BLE001  raised where the call was made
                line.send(("error", error))


def _nearby(line: Connection[Any, Any], argument: object) -> object:
    if isinstance(argument, Pieces):
        return _asked_for(line)
    if isinstance(argument, Function):
        return lambda *given: _asked(line, ("call", given))
    return argument


def _asked_for(line: Connection[Any, Any]) -> Iterator[bytes]:
    while (piece := _asked(line, ("next", ()))) is not None:
        yield piece


def _asked(line: Connection[Any, Any], question: tuple[str, tuple[Any, ...]]) -> Any:
    line.send(question)
    kind, answer = line.recv()
    if kind == "error":
        raise answer
    return answer


def _hand_out(line: Connection[Any, Any], pieces: Iterator[bytes]) -> None:
    try:
        while True:
            line.recv()
            line.send(("piece", next(pieces, None)))
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def call(
    path: str,
    method: str,
    *arguments: object,
    pieces: Iterable[bytes] = (),
    function: Callable[..., object] | None = None,
) -> Any:
    """Call a method on the other side, and return or raise the same as it does.

    Args:
        path: the path of the socket.
        method: the name of the method.
        arguments: its arguments, with `Pieces` and `Function` in the places of the two below.
        pieces: requested while the method runs.
        function: called while the method runs.
    """
    line = Client(path, family="AF_UNIX")
    given = iter(pieces)
    line.send((method, arguments))
    while True:
        kind, content = line.recv()
        match kind:
            case "next":
                _reply(line, partial(next, given, None))
            case "call" if function is not None:
                _reply(line, partial(function, *content))
            case "pieces":
                return _received(line)
            case "error":
                line.close()
                raise content
            case _:
                line.close()
                return content


def _reply(line: Connection[Any, Any], make: Callable[[], Any]) -> None:
    try:
        answer = ("piece", make())
    except Exception as error:  # noqa: BLE001  raised on the other side, and returned as the error of the call
        answer = ("error", error)
    line.send(answer)


def _received(line: Connection[Any, Any]) -> Iterator[bytes]:
    with closing(line):
        while True:
            line.send("next")
            kind, piece = line.recv()
            if kind == "error":
                raise piece
            if piece is None:
                return
            yield piece
