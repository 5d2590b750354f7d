"""Starts a newer Docker engine, or Podman, in a folder, from Debian's packages. Needs root and Debian.

    .venv/bin/python -m scripts.other_engine start containerd
    .venv/bin/python -m scripts.other_engine stop containerd

`start` prints the value for `DOCKER_HOST`. The first start unpacks a Debian system of about 1 GB, which takes two minutes.
Everything is in `/var/tmp/dockercise-engines`, or in the folder that `DOCKERCISE_ENGINES` names. To remove it, stop the engines
and delete the folder.

An engine has its own file systems, but uses the machine's network and its `/tmp`, so that folders there can be mounted. It does
not change the machine's firewall: containers on its bridge reach each other and the machine, but nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from docker import APIClient
from docker.errors import DockerException

from scripts import debian
from scripts.console import NeedsRootError, SetUpError, run_script, say
from scripts.debootstrap import bootstrap, run
from scripts.engine import stale

HOME = Path("/var/tmp/dockercise-engines")  # noqa: S108  on a disk, and kept after a reboot
START_SECONDS = 60
STOP_SECONDS = 60

NEEDED = {"ip": "iproute2", "unshare": "util-linux"}
COMMON = ("ca-certificates", "iptables", "nftables", "procps")  # procps: an engine calls `ps` for `docker top`
DOCKER = ("docker.io", "docker-cli", "docker-buildx", "containerd", "tini")
PODMAN = ("podman", "catatonit", "netavark", "aardvark-dns", "runc")

BUILDX = "usr/libexec/docker/cli-plugins/docker-buildx"

ENTER = """\
root=$1; shared=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount --bind /tmp "$root/tmp"
mkdir -p "$root/engine"
mount --bind "$shared" "$root/engine"
exec chroot "$root" "$@"
"""
"""Runs with its own mounts, which end with it. The root is a mount point because an engine pivots it to unpack images."""


@dataclass(frozen=True, slots=True)
class OtherEngine:
    """An engine that can be started.

    Attributes:
        suite: the Debian release of its packages.
        packages: its Debian packages.
        program: the program to run.
        containerd_store: whether Docker stores its images in containerd, as new installations do since Docker 29.
        network: the third part of its bridge's address.
    """

    suite: str
    packages: tuple[str, ...]
    program: str = "dockerd"
    containerd_store: bool = False
    network: int = 0

    def command(self, name: str) -> list[str]:
        """The command that starts it inside its root. Its folder there is `/engine`."""
        if self.program == "podman":
            # runc, since crun does not work on machines with both kinds of control groups
            options = ["--runtime", "runc", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--root", "/engine/data"]
            return ["podman", *options, "system", "service", "--time", "0", "unix:///engine/engine.sock"]
        return [
            "dockerd",
            *("--host", "unix:///engine/engine.sock", "--data-root", "/engine/data"),
            *("--exec-root", "/run/engine", "--pidfile", "/run/engine.pid", "--bridge", bridge(name)),
            *("--iptables=false", "--ip6tables=false", "--ip-masq=false"),
            *("--config-file", "/engine/daemon.json"),
        ]

    def configuration(self) -> str:
        """The content of Docker's configuration file. It sets where images are stored."""
        return json.dumps({"features": {"containerd-snapshotter": self.containerd_store}})


ENGINES = {
    "trixie": OtherEngine("trixie", (*COMMON, *DOCKER), network=201),
    "sid": OtherEngine("sid", (*COMMON, *DOCKER, *PODMAN), network=202),
    "containerd": OtherEngine("sid", (*COMMON, *DOCKER, *PODMAN), containerd_store=True, network=203),
    "podman": OtherEngine("sid", (*COMMON, *DOCKER, *PODMAN), program="podman"),
}
"""Docker from Debian trixie (26.1) and sid (28.5 in November 2026), also with the containerd store; Podman from sid (5.8)."""


@contextmanager
def other_engine(name: str) -> Iterator[str]:
    """Run an engine, give the value for `DOCKER_HOST`, and stop the engine at the end.

    Raises:
        SetUpError: the engine cannot be made or started.
    """
    try:
        yield start(name)
    finally:
        stop(name)


def start(name: str) -> str:
    """Start an engine, unless it is running, and return its address.

    Raises:
        SetUpError: the engine cannot be made or started.
    """
    engine, folder = ENGINES[name], _folder(name)
    url = f"unix://{folder}/engine.sock"
    if _alive(name):
        return url
    if os.geteuid() != 0:
        raise NeedsRootError("another engine")
    debian.install(debian.missing_packages(NEEDED), "another engine")
    root = _unpacked(engine)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "daemon.json").write_text(engine.configuration(), encoding="utf-8")
    if engine.network:
        _make_bridge(name, engine.network)
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", ENTER, "enter", str(root), str(folder)]
    with _log(name).open("wb") as log:
        process = subprocess.Popen(
            [*words, *engine.command(name)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "PATH": debian.SEARCH_PATH},
            start_new_session=True,
        )
    _pid_file(name).write_text(f"{process.pid}\n", encoding="ascii")
    say(f"{name}: {_wait(name, url, process)} answers at {url}")
    return url


def stop(name: str) -> None:
    """Stop an engine and its containers. Its images stay for the next start. Do nothing if it is not running."""
    if _alive(name):
        process = int(_pid_file(name).read_text(encoding="ascii"))
        os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _alive(name) and time.monotonic() < deadline:
            with suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
            time.sleep(0.2)
        if _alive(name):
            os.killpg(process, signal.SIGKILL)
    _pid_file(name).unlink(missing_ok=True)
    if ENGINES[name].network:
        subprocess.run(["ip", "link", "delete", bridge(name)], capture_output=True, check=False)


def client_configuration(name: str) -> Path:
    """A `DOCKER_CONFIG` that gives the machine's `docker` command the buildx plugin of a started engine."""
    plugins = _folder(name) / "client/cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    plugin = plugins / "docker-buildx"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(_folder(f"root-{ENGINES[name].suite}") / BUILDX)
    return plugins.parent


def bridge(name: str) -> str:
    """The name of the engine's network interface: at most 15 characters, and different for each engine."""
    return f"dke-{name}"[:15]


def _folder(name: str) -> Path:
    return Path(os.environ.get("DOCKERCISE_ENGINES") or HOME) / name


def _log(name: str) -> Path:
    return _folder(name) / "log"


def _pid_file(name: str) -> Path:
    return _folder(name) / "pid"


def _alive(name: str) -> bool:
    pid_file = _pid_file(name)
    return pid_file.exists() and not stale(pid_file, ENGINES[name].program)


def _unpacked(engine: OtherEngine) -> Path:
    """The folder with the unpacked packages, one for each set of packages. An incomplete folder is made again."""
    root = _folder(f"root-{engine.suite}-{zlib.crc32(' '.join(engine.packages).encode()):08x}")
    unfinished = root.with_suffix(".unfinished")
    if not root.exists():
        say(f"unpacking Debian {engine.suite} into {root} (two minutes, once)")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        bootstrap(unfinished, engine.suite, engine.packages, "another engine")
        unfinished.rename(root)
    return root


def _make_bridge(name: str, network: int) -> None:
    if Path("/sys/class/net", bridge(name)).exists():
        return
    run("ip", "link", "add", bridge(name), "type", "bridge")
    run("ip", "address", "add", f"172.30.{network}.1/24", "dev", bridge(name))
    run("ip", "link", "set", bridge(name), "up")


def _wait(name: str, url: str, process: subprocess.Popen[bytes]) -> str:
    """Wait until the engine answers, and return its version."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with closing(APIClient(base_url=url, version="auto")) as client:
                version: str = client.version()["Version"]
                return version
        except DockerException as error:
            problem = str(error)
        if process.poll() is not None or time.monotonic() > deadline:
            tail = _log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
            raise SetUpError("\n".join([f"the engine {name} did not start: {problem}", *tail]), f"see {_log(name)}")
        time.sleep(0.2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Start or stop the engine that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m scripts.other_engine", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("engine", choices=sorted(ENGINES))
    chosen = parser.parse_args(arguments)
    if chosen.action == "stop":
        stop(chosen.engine)
    else:
        print(f"DOCKER_HOST={start(chosen.engine)}")


if __name__ == "__main__":
    run_script(main)
