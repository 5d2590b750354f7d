"""A proxy between a client and a service, a Docker engine or Prefect's API, with the faults of a plan.

It passes everything on as it comes. A connection that is upgraded, such as `docker attach` or a websocket, is a plain stream
from then on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.plan import Course, Fault, Kind, Plan
from tests.faults.wire import BrokenOffError, Head, Reader

_REFUSAL = b'{"message": "this fault is planned", "detail": "this fault is planned"}'
_ENDLESS = 1 << 60

_GARBLED = 8
"""How many bytes of a garbled body become control characters, which JSON never has."""


class _ClosedError(Exception):
    """The plan says that the connection ends here."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a proxy listens and where the service is, as `unix:///path` or `http://host:port`."""

    listener: socket.socket
    url: str
    target: str

    def connect(self) -> socket.socket:
        """A new connection to the service."""
        parts = urlsplit(self.target)
        if parts.scheme == "unix":
            service = socket.socket(socket.AF_UNIX)
            service.connect(parts.path)
            return service
        return socket.create_connection((parts.hostname, parts.port))


class Proxy:
    """A running proxy.

    Attributes:
        url: where clients connect, `unix:///path` or `http://127.0.0.1:port`.
    """

    def __init__(self, ends: Ends) -> None:
        self.url = ends.url
        self._ends = ends
        self._course = Course(Plan(0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def follow(self, plan: Plan) -> Course:
        """From the next request on, follow a plan. Return its course."""
        self._course = Course(plan)
        return self._course

    def close(self) -> None:
        """End all connections and accept no more."""
        self._closed.set()
        with self._lock:
            for end in (self._ends.listener, *self._open):
                _end(end)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._ends.listener.accept()
                threading.Thread(target=self._serve, args=(ours,), daemon=True).start()

    def _serve(self, ours: socket.socket) -> None:
        with suppress(OSError, ValueError, _ClosedError, BrokenOffError), ours, self._ends.connect() as theirs:
            with self._lock:
                self._open |= {ours, theirs}
            try:
                _Conversation(ours, theirs, self._course, self._closed).hold()
            finally:
                with self._lock:
                    self._open -= {ours, theirs}
                for end in (ours, theirs):
                    _end(end)


class _Conversation:
    """Requests and answers on one connection."""

    def __init__(self, ours: socket.socket, theirs: socket.socket, course: Course, closed: threading.Event) -> None:
        self._ours, self._theirs = ours, theirs
        self._client, self._service = Reader(ours), Reader(theirs)
        self._course = course
        self._closed = closed
        self._request = ""
        self._fault: Fault | None = None

    def hold(self) -> None:
        while head := self._client.head():
            self._request = head.request
            self._fault = self._course.next(self._request)
            try:
                if not self._exchange(head):
                    return
            finally:
                self._give_back()

    def _exchange(self, head: Head) -> bool:
        """Pass on a request and its answer. Return whether another request may follow."""
        if self._is(Kind.DELAY):
            self._wait()
        if self._is(Kind.DROP):
            self._leave()
        if self._is(Kind.REFUSE):
            self._refuse(head)
            return True
        self._pass_request_on(head)
        answer = self._answer_head()
        if answer.starts_a_stream:
            self._stream(answer)
            return False
        self._pass_answer_on(answer)
        return True

    def _is(self, kind: Kind) -> bool:
        return self._fault is not None and self._fault.kind is kind

    def _note(self) -> None:
        """Note that the fault was done; it is done once."""
        if self._fault is not None:
            self._course.note(self._fault, self._request)
            self._fault = None

    def _give_back(self) -> None:
        """A fault that was not done belongs to a later request."""
        if self._fault is not None:
            self._course.give_back(self._fault)
            self._fault = None

    def _wait(self) -> None:
        seconds = self._fault.seconds if self._fault else 0
        self._note()
        self._closed.wait(seconds)

    def _leave(self) -> None:
        """End the connection."""
        self._note()
        _end(self._ours)
        raise _ClosedError

    def _refuse(self, head: Head) -> None:
        status = self._fault.status if self._fault else 503
        for _ in self._client.body_of_request(head):
            pass
        self._note()
        answer = f"HTTP/1.1 {status} Planned\r\nContent-Type: application/json\r\nContent-Length: {len(_REFUSAL)}\r\n\r\n"
        self._ours.sendall(answer.encode() + _REFUSAL)

    def _pass_request_on(self, head: Head) -> None:
        self._theirs.sendall(head.data)
        with suppress(BrokenPipeError):  # a service may answer before it has read everything
            for piece in self._client.body_of_request(head):
                self._theirs.sendall(piece.data)

    def _answer_head(self) -> Head:
        while self._service.ready_before(self._ours) and (head := self._service.head()) is not None:
            if not head.interim:
                if self._is(Kind.LOSE):
                    self._leave()
                return head
            self._ours.sendall(head.data)
        raise _ClosedError

    def _pass_answer_on(self, head: Head) -> None:
        if self._is(Kind.GARBLE) and b"json" not in head.field(b"content-type"):
            self._give_back()
        self._ours.sendall(head.data)
        most = int(head.field(b"content-length") or _ENDLESS) - 1
        passed = 0
        for piece in self._service.body_of_answer(head, self._request):
            data = piece.data
            if self._is(Kind.GARBLE) and not piece.framing:
                self._note()
                data = b"\1" * min(_GARBLED, len(data)) + data[_GARBLED:]
            passed = self._passed(data, passed, 0 if piece.last else most)

    def _passed(self, data: bytes, passed: int, most: int) -> int:
        """Pass data on, and stall or cut the answer where the fault says, but after at most so many bytes."""
        limit = min(self._fault.after, most) if self._fault else most
        if self._is(Kind.STALL) and passed + len(data) > limit:
            self._wait()
        if self._is(Kind.CUT) and passed + len(data) > limit:
            self._ours.sendall(data[: max(limit - passed, 0)])
            self._leave()
        self._ours.sendall(data)
        return passed + len(data)

    def _stream(self, head: Head) -> None:
        self._ours.sendall(head.data)
        thread = threading.Thread(target=self._upstream, daemon=True)
        thread.start()
        passed = 0
        while data := self._service.some():
            passed = self._passed(data, passed, _ENDLESS)
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_WR)
        thread.join()

    def _upstream(self) -> None:
        with suppress(OSError):
            while data := self._client.some():
                self._theirs.sendall(data)
            self._theirs.shutdown(socket.SHUT_WR)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def socket_proxy(target: str, path: Path) -> Iterator[Proxy]:
    """A proxy to a service at `unix:///…`, which listens at a path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    with _running(listener, f"unix://{path}", target) as proxy:
        yield proxy


@contextmanager
def port_proxy(target: str) -> Iterator[Proxy]:
    """A proxy to a service at `http://host:port`, which listens on a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    with _running(listener, f"http://127.0.0.1:{listener.getsockname()[1]}", target) as proxy:
        yield proxy


@contextmanager
def _running(listener: socket.socket, url: str, target: str) -> Iterator[Proxy]:
    listener.listen(128)
    with listener:
        proxy = Proxy(Ends(listener, url, target))
        try:
            yield proxy
        finally:
            proxy.close()
