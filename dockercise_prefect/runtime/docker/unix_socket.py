"""An engine behind a socket file, with one pool of connections (docs/adr/0050).

The SDK's own adapter has a pool of connections for each URL. The id of a container is a part of the URL, so almost every
request opens a connection of its own, which costs processor time here and in the engine. Here, all requests share one pool.
"""

from __future__ import annotations

import socket
from typing import Any

import requests
import urllib3
from docker.transport.basehttpadapter import BaseHTTPAdapter


class SinglePoolAdapter(BaseHTTPAdapter):
    """Sends all requests of a session over the connections of one pool, because they all lead to the same engine.

    Args:
        pool: makes the connections, and keeps those that are idle.
    """

    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        self._pool = pool
        super().__init__()

    def get_connection(self, *_: Any) -> Any:
        """The pool, for any address."""
        return self._pool

    def request_url(self, request: requests.PreparedRequest, *_: Any) -> str:
        """The path alone, because no proxy is in between."""
        return request.path_url

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()
        super().close()


class UnixAdapter(SinglePoolAdapter):
    """Sends the requests of a session to a socket file.

    Args:
        path: of the socket file.
        pool_size: how many idle connections are kept.
    """

    def __init__(self, path: str, pool_size: int) -> None:
        super().__init__(_UnixPool(path, pool_size))


class _UnixPool(urllib3.HTTPConnectionPool):
    def __init__(self, path: str, size: int) -> None:
        super().__init__("localhost", maxsize=size)
        self._path = path

    def _new_conn(self) -> Any:
        return _UnixConnection(self._path)


class _UnixConnection(urllib3.connection.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._seconds)
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        self.sock = connection

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        """Begin a request. The connection may still have the time limit of an earlier one, or none."""
        if self.sock is not None:
            self.sock.settimeout(self._seconds)
        super().putrequest(*args, **kwargs)

    @property
    def _seconds(self) -> float | None:
        return self.timeout if isinstance(self.timeout, int | float) else None
