"""An engine behind a socket file, with little processor time for each request (docs/adr/0049).

The SDK's own adapter has a pool of connections for each URL. The id of a container is a part of the URL, so almost every
request opens a connection of its own, which costs processor time here and in the engine. Here, all requests share one pool.
And requests are prepared without what only the web needs.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from docker import APIClient
from docker.transport.basehttpadapter import BaseHTTPAdapter
from requests.structures import CaseInsensitiveDict


class SocketClient(APIClient):
    """A client of the engine behind a socket file.

    Args:
        url: of the socket file, as `unix:///PATH`.
        version: of the engine's API.
        timeout: seconds that the engine may take for one call.
        pool_size: how many idle connections are kept.
    """

    def __init__(self, url: str, version: str, timeout: int, pool_size: int) -> None:
        super().__init__(base_url=url, version=version, timeout=timeout)
        self.trust_env = False  # no login of a netrc file, and no proxy
        path: str = self.get_adapter(self.base_url).socket_path  # type: ignore[attr-defined]  # of the SDK's own adapter
        self.mount(self.base_url, UnixAdapter(path, pool_size))

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request, as a `requests.Session` does.

        A session merges cookies, logins, proxies and redirects into each request. That takes longer than everything else
        that happens here, and an engine behind a socket file has none of them.
        """
        body = kwargs.get("data")
        if args or not kwargs.keys() <= _PLAIN or not isinstance(body, str | None) or kwargs.get("json") is not None:
            return super().request(method, url, *args, **kwargs)
        prepared = self._prepared(method, url, kwargs.get("params") or {}, body, kwargs.get("headers") or {})
        stream = bool(kwargs.get("stream"))
        response = self.get_adapter(url).send(prepared, stream=stream, timeout=kwargs.get("timeout"))
        if not stream:
            _ = response.content  # read it: then another request can use the connection
        return response

    def _prepared(
        self, method: str, url: str, params: Mapping[str, Any], body: str | None, headers: Mapping[str, Any]
    ) -> requests.PreparedRequest:
        query = urlencode({name: value for name, value in params.items() if value is not None}, doseq=True)
        prepared = requests.PreparedRequest()
        prepared.method = method
        prepared.url = f"{url}?{query}" if query else url
        prepared.headers = CaseInsensitiveDict[Any]({**self.headers, **headers})
        if body is not None:
            prepared.body = body.encode()
        if body is not None or method not in {"GET", "HEAD"}:
            prepared.headers["Content-Length"] = str(len(prepared.body or b""))
        return prepared


_PLAIN = frozenset({"params", "data", "json", "headers", "timeout", "stream", "allow_redirects"})
"""The arguments of a request that need nothing from the session."""


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
        """The path alone: there is no proxy in between."""
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
        except BaseException:
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
