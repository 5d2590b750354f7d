"""A Docker host behind ssh on loopback, and in place of AWS's plugin a program that carries its bytes.

ssh, its keys and the forwarding of the engine's socket file are real. The data channel of Systems Manager exists only in AWS.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

TOKEN = "session-token-4Jq8"

PLUGIN = """\
#!{python}
import json, os, socket, sys, threading

name, region, operation, profile, asked, endpoint = sys.argv[1:]
session = json.loads(os.environ[name])
with open({record!r}, "w") as record:
    json.dump([sys.argv[1:], session], record)
host = socket.create_connection(("127.0.0.1", {port}))


def send():
    while block := os.read(0, 65536):
        host.sendall(block)
    host.shutdown(socket.SHUT_WR)


threading.Thread(target=send, daemon=True).start()
while block := host.recv(65536):
    os.write(1, block)
"""


@dataclass
class EngineHost:
    """A running host.

    Attributes:
        port: its port for ssh, on 127.0.0.1.
        entered: who has logged in: user and public key.
        forwarded: the socket files that were asked for.
        refuses: how many further logins are refused, as by a host that is booting.
    """

    port: int = 0
    entered: list[tuple[str, str]] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    refuses: int = 0


@contextmanager
def engine_host(engine: str, let_in: Callable[[], Sequence[str]]) -> Iterator[EngineHost]:
    """Run a host.

    Args:
        engine: the path of its engine's socket file on this machine.
        let_in: returns the accepted public keys; called for each login.
    """
    host = EngineHost()
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    class Door(asyncssh.SSHServer):
        _user = ""

        def begin_auth(self, username: str) -> bool:
            self._user = username
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, _username: str, key: asyncssh.SSHKey) -> bool:
            public = " ".join(key.export_public_key().decode("ascii").split()[:2])
            if host.refuses:
                host.refuses -= 1
                return False
            if public not in let_in():
                return False
            host.entered.append((self._user, public))
            return True

        def unix_connection_requested(self, dest_path: str) -> Any:
            host.forwarded.append(dest_path)
            return _forward_to(engine)

    async def serve() -> None:
        keys = [asyncssh.generate_private_key("ssh-ed25519")]
        async with asyncssh.listen("127.0.0.1", 0, server_factory=Door, server_host_keys=keys, encoding=None) as acceptor:
            host.port = acceptor.get_port()
            loops.append(asyncio.get_running_loop())
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(60), "the ssh server does not start"
    try:
        yield host
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


def write_plugin(folder: Path, host: EngineHost) -> Path:
    """Write the program in place of the plugin, and return the file in which it records its arguments and its session."""
    folder.mkdir(exist_ok=True)
    record = folder / "plugin.json"
    program = folder / "session-manager-plugin"
    program.write_text(PLUGIN.format(python=sys.executable, record=str(record), port=host.port), encoding="ascii")
    program.chmod(0o755)
    return record


def session_of(asked: Any) -> dict[str, str]:
    """The answer of Systems Manager to StartSession."""
    return {
        "SessionId": "dockercise-0a1b2c",
        "TokenValue": TOKEN,
        "StreamUrl": f"wss://ssmmessages.example/{json.dumps(asked)[:8]}",
    }


def _forward_to(engine: str) -> Callable[[Any, Any], Coroutine[Any, Any, None]]:
    async def forward(reader: Any, writer: Any) -> None:
        from_engine, to_engine = await asyncio.open_unix_connection(engine)
        sending = asyncio.create_task(_copy(reader, to_engine))
        with suppress(OSError, asyncssh.Error):
            while block := await from_engine.read(1 << 16):
                writer.write(block)
                await writer.drain()
        writer.close()
        sending.cancel()
        to_engine.close()

    return forward


async def _copy(source: Any, sink: Any) -> None:
    with suppress(OSError, asyncssh.Error):
        while block := await source.read(1 << 16):
            sink.write(block)
            await sink.drain()
        sink.write_eof()


def path_with(folder: Path) -> str:
    """The PATH with a folder before all others."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
