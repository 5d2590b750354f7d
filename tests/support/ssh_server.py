"""A git host's ssh server on loopback. Users with an accepted key can read repositories, and nobody can write."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh


@dataclass
class SshServer:
    """A running server.

    Attributes:
        address: the address that it listens on.
        port: its port there.
        host_key: its public host key, `ssh-ed25519 AAAA…`.
        let_in: returns the accepted public keys; called for each connection.
        entered: the keys that were used to log in.
    """

    root: Path
    let_in: Callable[[], list[str]]
    address: str = "127.0.0.1"
    port: int = 0
    host_key: str = ""
    entered: list[str] = field(default_factory=list)

    def url(self, name: str) -> str:
        """The address of a repository in the root folder."""
        return f"ssh://git@{self.address}:{self.port}/{name}.git"


@contextmanager
def running_ssh(root: Path, let_in: Callable[[], list[str]], address: str = "127.0.0.1") -> Iterator[SshServer]:
    """Run a server for the bare repositories in a folder."""
    running = SshServer(root, let_in, address)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    running.host_key = host_key.export_public_key().decode("ascii").strip()

    class Door(asyncssh.SSHServer):
        def begin_auth(self, _username: str) -> bool:
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, _username: str, key: asyncssh.SSHKey) -> bool:
            public = " ".join(key.export_public_key().decode("ascii").split()[:2])
            if public not in running.let_in():
                return False
            running.entered.append(public)
            return True

    stop = asyncio.Event()

    async def serve() -> None:
        async with asyncssh.listen(
            address, 0, server_factory=Door, server_host_keys=[host_key], process_factory=read, encoding=None
        ) as acceptor:
            running.port = acceptor.get_port()
            started.set()
            await stop.wait()

    async def read(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.exit(await _read(process, root))

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
    thread.start()
    assert started.wait(60), "the ssh server does not start"
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _read(process: asyncssh.SSHServerProcess[bytes], root: Path) -> int:
    """Run the requested command if it reads a repository, and return its exit status."""
    words = shlex.split(process.command or "")
    if len(words) != 2 or words[0] != "git-upload-pack":
        process.stderr.write(b"only reading is allowed\n")
        return 128
    child = await asyncio.create_subprocess_exec(
        "git-upload-pack",
        str(root / words[1].lstrip("/")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.defpath, "GIT_PROTOCOL": process.env.get("GIT_PROTOCOL", "")},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    asking = asyncio.create_task(_copy(process.stdin, child.stdin))
    while block := await child.stdout.read(1 << 16):
        process.stdout.write(block)
    asking.cancel()
    return await child.wait()


async def _copy(source: asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter) -> None:
    while block := await source.read(1 << 16):
        sink.write(block)
        await sink.drain()
    sink.close()
