"""`aws ui`: a way to Prefect's UI on the host, through SSM and a port on loopback.

SSM's own program, session-manager-plugin, carries the connection. The host needs no open port and no key.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dockercise_prefect.aws.account import Account, calling
from dockercise_prefect.aws.operating.readiness import PATIENCE, Clock
from dockercise_prefect.errors import ExitStatus, StorageError, UsageError

PREFECT_PORT = 4200
"""The port of Prefect on the host, on loopback."""

PLUGIN = "session-manager-plugin"

_HOW_TO_GET_IT = (
    "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
)

_OLDEST = (1, 2, 497, 0)
"""The first version that reads the session from a variable. Older ones need it as an argument, which all users can read."""

_SESSION = "AWS_SSM_START_SESSION_RESPONSE"

_ENDS = 10
"""Seconds for the plugin to end when it is asked to."""


class TunnelError(StorageError):
    """There is no way to the host."""

    exit_status = ExitStatus.ENGINE_FAILED


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An open way to the host.

    Attributes:
        url: the address on loopback.
    """

    url: str
    process: subprocess.Popen[bytes]

    @property
    def is_open(self) -> bool:
        """Whether it still is open."""
        return self.process.poll() is None


def checked_plugin() -> str:
    """The path of the plugin.

    Raises:
        UsageError: it is not installed, or too old.
    """
    path = shutil.which(PLUGIN)
    if path is None:
        raise UsageError(f"{PLUGIN}, AWS's program for such connections, is not installed", _HOW_TO_GET_IT)
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    found = re.fullmatch(r"\d+(\.\d+)*", done.stdout.strip())
    if found is None or tuple(map(int, found[0].split("."))) < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        raise UsageError(f"{path} is version {done.stdout.strip() or 'unknown'}, which is older than {wanted}", _HOW_TO_GET_IT)
    return path


@contextmanager
def tunnel(account: Account, instance: str, port: int, plugin: str, clock: Clock) -> Iterator[Tunnel]:
    """Inside, a port on loopback leads to Prefect on the host.

    Args:
        instance: the id of the host's instance.
        port: the port on loopback.
        plugin: the path of the plugin.

    Raises:
        UsageError: something else has the port.
        TunnelError: the host cannot be reached.
    """
    _check_free(port)
    client = account.client("ssm")
    parameters = {"portNumber": [str(PREFECT_PORT)], "localPortNumber": [str(port)]}
    request = {"Target": instance, "DocumentName": "AWS-StartPortForwardingSession", "Parameters": parameters}
    with calling(f"cannot open a session with the host {instance}", "ssm:StartSession"):
        answer = client.start_session(**request)
    session = {key: answer[key] for key in ("SessionId", "TokenValue", "StreamUrl")}
    environment = {**os.environ, **account.credentials(), _SESSION: json.dumps(session)}
    arguments = [_SESSION, account.region, "StartSession", "", json.dumps(request), client.meta.endpoint_url]
    # In a process group of its own, so that Ctrl-C reaches only us, and we end it in order.
    process = subprocess.Popen(
        [plugin, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        _wait_for(port, process, clock)
        yield Tunnel(f"http://127.0.0.1:{port}", process)
    finally:
        _end(process)
        with calling("cannot close the session with the host", "ssm:TerminateSession"):
            client.terminate_session(SessionId=session["SessionId"])


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            hint = "it may be your local Prefect server: `dockercise down` stops it; or choose another --port"
            raise UsageError(f"something else listens on port {port} of this machine", hint) from error


def _wait_for(port: int, process: subprocess.Popen[bytes], clock: Clock) -> None:
    begun = clock.now()
    while process.poll() is None and clock.now() - begun < PATIENCE:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        clock.pause()
    raise TunnelError(
        "the session with the host ended before it was open", "`dockercise aws status` shows the state of the host"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_ENDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
