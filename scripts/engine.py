"""Finds a Docker engine as the package itself does. As root on Debian or Ubuntu, it can install and start Debian's engine.

Runs on `.venv`'s Python: `.venv/bin/python -m scripts.engine`.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from docker import APIClient

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.connection import DEFAULT_SOCKET, UnsupportedEngineError, connect, find_addresses
from scripts import debian
from scripts.console import SetUpError, run_script, say

LOG = Path("/var/log/dockerd.log")
PID_FILES = {Path("/var/run/docker.pid"): "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}
START_SECONDS = 60
NEEDED = {"dockerd": "docker.io", "iptables": "iptables", "docker-init": "tini"}
"""Commands and their Debian packages. docker.io only recommends the other two, but networks and init processes need them."""


def ensure_engine() -> APIClient:
    """Return a client of the user's engine, which the caller must close. If no engine answers, start one.

    Raises:
        SetUpError: no engine answers, and we cannot start one.
    """
    client = _connect()
    if isinstance(client, EngineError):
        client = _start(client)
    say(f"Docker engine {client.version()['Version']} answers")
    return client


def _connect() -> APIClient | EngineError:
    try:
        return connect()[0]
    except EngineError as error:
        return error


def _start(problem: EngineError) -> APIClient:
    if isinstance(problem, UnsupportedEngineError):
        raise SetUpError(problem.message, problem.hint or "use Docker")
    if find_addresses(os.environ)[0].url != DEFAULT_SOCKET:
        raise SetUpError(problem.message, "start the engine that you named, or name none to have this machine's own")
    if os.geteuid() != 0:
        raise SetUpError(problem.message, f"{problem.hint}; or run this as root, to have Debian's engine installed and started")
    debian.install(debian.missing_packages(NEEDED), "a Docker engine")
    if Path("/run/systemd/system").is_dir():
        return _start_by_systemd()
    # Installing the package may already have started an engine, if Debian's init scripts may start services.
    if _alive():
        return _wait(None)
    for pid_file, name in PID_FILES.items():
        if stale(pid_file, name):
            pid_file.unlink(missing_ok=True)
    say(f"starting the Docker engine (dockerd; its log is {LOG})")
    return _wait(_start_detached())


def _start_by_systemd() -> APIClient:
    say("starting the Docker engine (systemctl start docker)")
    done = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetUpError(f"systemctl start docker failed: {done.stderr.strip()}", "see: journalctl --unit docker")
    return _wait(None)


def stale(pid_file: Path, name: str, processes: Path = Path("/proc")) -> bool:
    """Whether a pid file is from a process that has ended. A daemon that finds a pid file refuses to start.

    Args:
        pid_file: contains the id of a process.
        name: the program that wrote it. If the id belongs to another program, the file is stale.
        processes: the proc file system.
    """
    try:
        number = int(pid_file.read_text(encoding="ascii"))
        running = (processes / str(number) / "comm").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return pid_file.exists()
    except ValueError:
        return True
    return running != name


def _alive() -> bool:
    pid_file = next(iter(PID_FILES))
    return pid_file.exists() and not stale(pid_file, PID_FILES[pid_file])


def _start_detached() -> subprocess.Popen[bytes]:
    # In a new session, the engine keeps running after make, and Ctrl-C does not reach it.
    with LOG.open("ab") as log:
        return subprocess.Popen(
            [debian.which("dockerd") or "dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "PATH": debian.SEARCH_PATH},
            start_new_session=True,
        )


def _wait(daemon: subprocess.Popen[bytes] | None) -> APIClient:
    deadline = time.monotonic() + START_SECONDS
    while isinstance(client := _connect(), EngineError):
        if daemon is not None and daemon.poll() is not None:
            raise SetUpError(f"dockerd ended with exit code {daemon.returncode}:\n{_log_tail()}", f"see {LOG}")
        if time.monotonic() > deadline:
            raise SetUpError(f"the engine did not answer within {START_SECONDS} s: {client.message}", f"see {LOG}")
        time.sleep(0.5)
    return client


def _log_tail() -> str:
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-10:])


def main() -> None:
    """Make sure that an engine answers."""
    ensure_engine().close()


if __name__ == "__main__":
    run_script(main)
