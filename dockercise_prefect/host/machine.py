"""The machine that the host's set-up works on: its folders, and commands that change it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.errors import MachineError

USER = "dockercise"

_LAST_LINES = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is on the host.

    Attributes:
        root: the root of the file system. Tests use another one than `/`.
    """

    root: Path = Path("/")

    @property
    def units(self) -> Path:
        """The units of systemd that belong to this machine."""
        return self.root / "etc/systemd/system"

    @property
    def config(self) -> Path:
        """The variables of the units."""
        return self.root / "etc/dockercise"

    @property
    def logins(self) -> Path:
        """The configuration of the server through which jobs log in."""
        return self.config / "sshd_config"

    @property
    def kept(self) -> Path:
        """Where the volume is mounted that the stack keeps."""
        return self.root / "var/lib/dockercise"

    @property
    def data(self) -> Path:
        """The data folder of all units, with Prefect's database."""
        return self.kept / "data"

    @property
    def releases(self) -> Path:
        """The installed versions of dockercise, each in a folder."""
        return self.root / "opt/dockercise/releases"

    @property
    def current(self) -> Path:
        """The link to the version that is used."""
        return self.root / "opt/dockercise/current"

    @property
    def daemon(self) -> Path:
        """The configuration of the Docker engine."""
        return self.root / "etc/docker/daemon.json"

    @property
    def fstab(self) -> Path:
        """The table of file systems."""
        return self.root / "etc/fstab"

    @property
    def sleep(self) -> Path:
        """The file whose existence lets systemd power the machine off."""
        return self.root / "run/dockercise/sleep"


def run(*command: str) -> str:
    """Run a command of the system, and return its standard output.

    Raises:
        MachineError: it is missing or failed. The message has its last lines.
    """
    done = attempt(*command)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_LAST_LINES:]
        raise MachineError(f"`{' '.join(command)}` failed with exit status {done.returncode}: {' / '.join(lines)}")
    return done.stdout


def attempt(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the system whose exit status means something.

    Raises:
        MachineError: it is missing.
    """
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise MachineError(f"cannot run {command[0]}: {error.strerror}", "run this as root, on Debian") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the system about `path` inside into a `MachineError`."""
    try:
        yield
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}", "run this as root") from error
