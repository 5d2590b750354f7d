"""SSM's sessions, which no emulator has: a server that starts and ends them, and a program in the place of AWS's plugin.

The program does what the plugin does: it opens the port on loopback, and passes connections on, here to a server of the test.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

TOKEN = "token-of-the-session-9Qw2Zx"

PLUGIN = """\
#!{python}
import json, os, socket, sys, threading

if sys.argv[1:] == ["--version"]:
    print("{version}")
    sys.exit()
session = json.loads(os.environ[sys.argv[1]])
request = json.loads(sys.argv[5])
assert session["TokenValue"] and session["TokenValue"] not in " ".join(sys.argv)
with open("{log}", "w") as log:
    json.dump({{"arguments": sys.argv[1:], "key": os.environ.get("AWS_ACCESS_KEY_ID")}}, log)
if {fails}:
    sys.exit(1)
listener = socket.create_server(("127.0.0.1", int(request["Parameters"]["localPortNumber"][0])))


def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


while True:
    ours, _ = listener.accept()
    theirs = socket.create_connection(("127.0.0.1", {target}))
    for pair in ((ours, theirs), (theirs, ours)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@dataclass
class SessionManager:
    """A running server.

    Attributes:
        started: the requests for sessions.
        ended: the ids of the sessions that were ended.
        passes_on_to: the address of the server that all other calls of SSM are passed on to; None if there are none.
    """

    url: str
    started: list[dict[str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    passes_on_to: str | None = None


def write_plugin(folder: Path, *, target: int = 9, version: str = "1.2.707.0", fails: bool = False) -> Path:
    """Write the program into a folder, and return the file in which it notes how it was called.

    Args:
        target: the port that connections are passed on to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, program = folder / "called.json", folder / "session-manager-plugin"
    program.write_text(PLUGIN.format(python=sys.executable, version=version, log=log, target=target, fails=fails))
    program.chmod(0o755)
    return log


@contextmanager
def running_sessions() -> Iterator[SessionManager]:
    """Run the server on a free port of loopback."""
    manager = SessionManager("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(sent)
            action = self.headers["X-Amz-Target"].partition(".")[2]
            status = 200
            if action == "StartSession":
                manager.started.append(request)
                body = json.dumps({"SessionId": "me-0a1b", "TokenValue": TOKEN, "StreamUrl": "wss://ssm.example"}).encode()
            elif action == "TerminateSession":
                manager.ended.append(request["SessionId"])
                body = json.dumps({"SessionId": request["SessionId"]}).encode()
            else:
                assert manager.passes_on_to is not None
                headers = {name: self.headers[name] for name in ("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")}
                passed = httpx.post(manager.passes_on_to, content=sent, headers=headers, trust_env=False)
                status, body = passed.status_code, passed.content
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    manager.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield manager
    finally:
        server.shutdown()
        server.server_close()
