"""A Docker engine for one test, in addition to the machine's, which the test can kill. Needs root and `dockerd`."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from docker import APIClient

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.connection import Address, open_client
from scripts.console import NeedsRootError

_START_SECONDS = 60.0


class SecondEngine:
    """One `dockerd` that keeps everything below one folder.

    Attributes:
        url: its socket.
    """

    def __init__(self, folder: Path, bridge: str, further: Sequence[str]) -> None:
        self.url = f"unix://{folder}/engine.sock"
        self._folder = folder
        self._command = [
            "dockerd",
            *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
            *("--host", self.url, "--bridge", bridge, "--iptables=false", "--ip-masq=false", *further),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            log_text = (self._folder / "log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"dockerd ended: {log_text}"
            assert time.monotonic() < deadline, f"dockerd does not answer: {log_text}"

    def kill(self) -> None:
        """Kill it without a chance to clean up; its containers keep running."""
        self._end(signal.SIGKILL)
        # it looks there for its first process, and takes a process that nobody has waited for as alive
        (self._folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Remove its containers and end it."""
        if self._process is None:
            self.start()  # nobody else knows the containers that a killed engine left
        client = self.client()
        for each in client.containers(all=True):
            client.remove_container(each["Id"], force=True, v=True)
        client.close()
        self._end(signal.SIGTERM)

    def client(self) -> APIClient:
        """A client of its API, which the caller closes."""
        return open_client(Address(self.url, "a test"))

    def _answers(self) -> bool:
        try:
            self.client().close()
        except EngineError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@contextmanager
def second_engine(image: str, source: APIClient, folder: Path, *further: str) -> Iterator[SecondEngine]:
    """A running engine with one image of another engine; nothing of it is left at the end.

    Args:
        folder: for all its files; it must not exist yet.
        further: arguments for `dockerd`.
    """
    if os.geteuid() != 0:
        raise NeedsRootError("a second engine")
    folder.mkdir()
    bridge = f"dkt{secrets.token_hex(4)}"
    _ip("link", "add", bridge, "type", "bridge")
    engine = SecondEngine(folder, bridge, further)
    try:
        _ip("address", "add", "172.30.253.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        engine.start()
        client = engine.client()
        client.load_image(b"".join(source.get_image(image)))  # type: ignore[no-untyped-call]  # its stub has no types
        client.close()
        yield engine
        engine.stop()
    finally:
        engine.kill()
        _kill_below(folder)
        _ip("link", "delete", bridge)
        _unmount_below(folder)
        shutil.rmtree(folder)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _kill_below(folder: Path) -> None:
    """End the processes that a killed engine has started, its containers first."""
    ours = [each for each in psutil.process_iter() if any(f"{folder}/" in word for word in _command(each))]
    for each in [*(child for shim in ours for child in shim.children(recursive=True)), *ours]:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def _unmount_below(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", mount], check=True)
