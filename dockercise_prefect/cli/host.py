"""`host`: what runs on the Docker host of a stack in AWS. People rarely type it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.present.stream import ForgivingStream
from dockercise_prefect.errors import DockerciseError, UsageError
from dockercise_prefect.signals import handled

if TYPE_CHECKING:
    from dockercise_prefect.aws.parameters import HostConfig, StackParameters

_STACK = click.option("--stack", envvar="DOCKERCISE_STACK", required=True, metavar="NAME", help="The name of the stack.")
_REGION = click.option("--region", envvar="AWS_DEFAULT_REGION", required=True, metavar="REGION", help="Its region.")
_ROOT = click.option("--root", type=click.Path(path_type=Path), default=Path("/"), hidden=True)


@click.group
def host() -> None:
    """The Docker host of a stack in AWS."""


@host.command
@_STACK
@_REGION
@_ROOT
def install(stack: str, region: str, root: Path) -> None:
    """Set this machine up as the host of a stack, as root on Debian.

    The volume of the stack is attached and mounted, the version of dockercise that the stack names is installed, and the units
    of systemd are written and started. It can be repeated: only what differs is changed. It runs at each boot.
    """
    from dockercise_prefect.host.clients import host_client
    from dockercise_prefect.host.installing import install as install_host
    from dockercise_prefect.host.machine import Layout
    from dockercise_prefect.host.watcher import failed_report

    parameters = _parameters(stack, region)
    try:
        install_host(
            _config(parameters, stack, region),
            parameters.prefect(),
            Layout(root),
            _step,
            ec2=host_client("ec2", region),
            s3=host_client("s3", region),
        )
    except DockerciseError as error:
        _step(f"failed: {error.message}")
        parameters.save_report(failed_report(error, int(time.time())))
        raise
    _step("the host is set up")


@host.command("set-up", hidden=True)
@_STACK
@_REGION
@_ROOT
def set_up(stack: str, region: str, root: Path) -> None:
    """Write the files of this version, and start its units. The version from before calls this during an update."""
    from dockercise_prefect.host.installing import set_up as set_up_host
    from dockercise_prefect.host.machine import Layout

    parameters = _parameters(stack, region)
    set_up_host(_config(parameters, stack, region), parameters.prefect(), Layout(root), _step)


@host.command("run", short_help="Do the host's work until a signal ends it.")
@_STACK
@_REGION
@_ROOT
def run_command(stack: str, region: str, root: Path) -> None:
    """Do the host's work until a signal ends it: pushes, registrations, the report, and sleep when nothing is left to do."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from dockercise_prefect.host.machine import Layout
    from dockercise_prefect.host.running import run_host
    from dockercise_prefect.settings import read_settings

    ended = threading.Event()
    parameters = _parameters(stack, region)
    config = _config(parameters, stack, region)
    with handled(lambda _number: ended.set()):
        run_host(config, parameters, read_settings(), Layout(root), _line_printer(), ended=ended)


def _parameters(stack: str, region: str) -> StackParameters:
    from dockercise_prefect.aws.names import StackNames
    from dockercise_prefect.aws.parameters import StackParameters
    from dockercise_prefect.host.clients import host_client

    return StackParameters(host_client("ssm", region), StackNames(stack))


def _config(parameters: StackParameters, stack: str, region: str) -> HostConfig:
    config = parameters.host()
    if config is None:
        raise UsageError(f"there is no stack {stack} in {region}", "`dockercise aws up` makes one")
    return config


def _step(line: str) -> None:
    """Print a line for the console of the machine. `dockercise aws up` shows those that begin so."""
    click.echo(f"dockercise: {line}")


def _line_printer() -> Callable[[str], None]:
    """A function that prints complete lines. Thread-safe. systemd adds the time."""
    stream, lock = ForgivingStream(sys.stdout), threading.Lock()

    def say(line: str) -> None:
        with lock:
            stream.write(f"{line}\n")
            stream.flush()

    return say
