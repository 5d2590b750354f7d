"""The engine of a host that sleeps and has no open port: ssh through Systems Manager, with a key that works for moments.

One ssh process forwards the engine's socket file, for the whole job. With `DOCKER_HOST=ssh://`, each connection would need a
process and a session of Systems Manager of its own, and the number of new sessions per second is limited.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import Clients, calling
from dockercise_prefect.aws.jobs.login_keys import KeyOffer, key_offer
from dockercise_prefect.aws.names import JOB_USER, StackNames
from dockercise_prefect.connect.deploy_key import make_deploy_key
from dockercise_prefect.errors import EngineError

PLUGIN = "session-manager-plugin"
"""AWS's program that carries the bytes of a session of Systems Manager."""

PATIENCE = 15 * 60
"""Seconds until the host must be reached. It may have to stop first, and to boot."""

_DOCUMENT = "AWS-StartSSHSession"
_RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
"""The variable in which the plugin finds a session. On its command line, everybody on the machine could read its token."""

_ENGINE = "/var/run/docker.sock"
_PAUSE = 5.0
_LOOK = 0.1
_RIGHTS = ("ec2:StartInstances", "ssm:StartSession")

_NOT_YET = {
    "IncorrectInstanceState",
    "InsufficientInstanceCapacity",
    "TargetNotConnected",
}
"""Error codes of EC2 and Systems Manager for a host that is stopping, has no room, or is booting."""


class _NotYetError(Exception):
    """The host cannot be reached now, and the text says why."""


@contextmanager
def host_engine(
    client: Clients, names: StackNames, instance: str, notify: Callable[[str], None], patience: float = PATIENCE
) -> Iterator[str]:
    """Wake a host, and give the address of its engine on this machine, for `DOCKER_HOST`.

    Args:
        client: makes boto3's clients for the account of the host.
        names: the names of the host's stack.
        instance: the id of the host's instance. It may be stopped, stopping or booting.
        notify: called with a message for the first failed attempt.
        patience: seconds until the host must be reached.

    Raises:
        EngineError: the host cannot be reached, or this machine has no ssh.
        StorageError: AWS does not answer, or refuses.
    """
    until = time.monotonic() + patience
    with (
        tempfile.TemporaryDirectory(prefix="dockercise-job-") as name,
        key_offer(client("ssm"), names, _make_key(folder := Path(name))) as offer,
    ):
        waits = False
        while True:
            try:
                with calling(f"cannot reach the host {instance}", *_RIGHTS):
                    process = _opened(client, instance, folder, offer)
            except _NotYetError as error:
                if time.monotonic() >= until:
                    hint = "`dockercise aws status` shows the host, `dockercise aws logs --host` what it does"
                    raise EngineError(f"the host {instance} cannot be reached: {error}", hint) from error
                if not waits:
                    notify(f"waiting for {instance}: {error}")
                waits = True
                time.sleep(_PAUSE)
            else:
                break
        try:
            yield f"unix://{folder}/engine.sock"
        finally:
            process.terminate()
            process.wait()


def _opened(client: Clients, instance: str, folder: Path, offer: KeyOffer) -> subprocess.Popen[bytes]:
    """Wake the host, and open the tunnel. Return its process.

    Raises:
        _NotYetError: that is not possible now.
    """
    asked = {"Target": instance, "DocumentName": _DOCUMENT, "Parameters": {"portNumber": ["22"]}}
    ssm = client("ssm")
    try:
        # For a host that runs, the first call does nothing.
        client("ec2").start_instances(InstanceIds=[instance])
        session = ssm.start_session(**asked)
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_YET:
            raise _NotYetError(error.response["Error"]["Code"]) from error
        raise
    offer.renew()
    response = json.dumps({name: session[name] for name in ("SessionId", "TokenValue", "StreamUrl")})
    carrier = [PLUGIN, _RESPONSE, ssm.meta.region_name, "StartSession", "", json.dumps(asked), ssm.meta.endpoint_url]
    return _started(_ssh_command(instance, folder, carrier), folder, {**os.environ, _RESPONSE: response})


def _started(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    socket, complaints = folder / "engine.sock", folder / "complaints"
    socket.unlink(missing_ok=True)
    try:
        with complaints.open("wb") as file:
            # Its own session: Ctrl-C must not end the tunnel through which containers are stopped with grace.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, start_new_session=True
            )
    except OSError as error:
        raise EngineError(f"cannot start ssh: {error.strerror}", "install openssh-client") from error
    # ssh makes the socket file when the host has let it in, and ends if it does not.
    while not socket.exists():
        if process.poll() is not None:
            lines = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise _NotYetError("; ".join(lines[-3:]) or f"ssh ended with status {process.returncode}")
        time.sleep(_LOOK)
    return process


def _ssh_command(instance: str, folder: Path, carrier: list[str]) -> list[str]:
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "30",
        "ExitOnForwardFailure": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "ServerAliveInterval": "15",
        # Systems Manager has already proven which instance this is, so there is nothing to compare the host's key with.
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "HostKeyAlias": instance,
        "StreamLocalBindMask": "0177",
        "ProxyCommand": shlex.join(carrier).replace("%", "%%"),
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    forward = f"{folder / 'engine.sock'}:{_ENGINE}"
    key = str(folder / "key")
    return ["ssh", "-F", os.devnull, "-N", "-T", "-i", key, *given, "-L", forward, "-l", JOB_USER, "--", instance]


def _make_key(folder: Path) -> str:
    """Write a new private key into the folder, and return the public one."""
    key = make_deploy_key()
    with open(os.open(folder / "key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123  with a mode
        file.write(key.private)
    return key.public
