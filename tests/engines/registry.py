"""An image registry on loopback with one small image: enough of the distribution protocol for an engine to pull it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.engines.driving import member, tar_of

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """The registry's image, and the requests for it.

    Attributes:
        host: its address, `127.0.0.1:PORT`.
        digest: the digest of the image's manifest.
        requests: every requested path, in order.
    """

    def __init__(self, architecture: str, login: tuple[str, str] | None) -> None:
        layer = tar_of((member("hello"), b"hello\n"))
        packed = gzip.compress(layer, mtime=0)
        config = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "config": {"User": "1000", "Entrypoint": ["/hello"], "Cmd": ["there"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        ).encode()
        self._manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": _MANIFEST, "config": _part(config, _CONFIG), "layers": [_part(packed, _LAYER)]}
        ).encode()
        self._blobs = {_digest(blob): blob for blob in (config, packed)}
        self._expected = None if login is None else "Basic " + base64.b64encode(":".join(login).encode()).decode()
        self.digest = _digest(self._manifest)
        self.requests: list[str] = []
        self.host = ""

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        self.requests.append(path)
        if self._expected is not None and authorization != self._expected:
            return 401, {"WWW-Authenticate": 'Basic realm="test"'}, b"{}"
        if path == "/v2/":
            return 200, {}, b"{}"
        if path.startswith("/v2/test/hello/manifests/") and path.rpartition("/")[2] in {"latest", "1", self.digest}:
            return 200, {"Content-Type": _MANIFEST, "Docker-Content-Digest": self.digest}, self._manifest
        blob = self._blobs.get(path.rpartition("/")[2])
        return (404, {}, b"{}") if blob is None else (200, {"Content-Type": "application/octet-stream"}, blob)


@contextmanager
def registry(architecture: str, login: tuple[str, str] | None = None) -> Iterator[Registry]:
    """A registry that has `test/hello` with the tags `latest` and `1`, for clients that know `login`."""
    content = Registry(architecture, login)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        default_request_version = "HTTP/1.0"  # so that TLS is answered with a status line, by which engines know plain HTTP

        def do_GET(self) -> None:
            status, headers, body = content.answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  the names that http.server uses

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        content.host = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield content
        server.shutdown()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _part(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(data), "digest": _digest(data)}
