"""`aws ui`: opens Prefect's UI on the host of a stack."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.aws_verbs.stack_options import takes_stack
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.deployed import Deployed
    from dockercise_prefect.aws.operating.up import Stacks

RENEWED_SECONDS = 15 * 60
"""For so long, the host stays awake after the last sign of an open UI."""

SIGN_SECONDS = 5 * 60
"""Seconds between two such signs."""


@click.command
@takes_stack
@click.option("--port", type=click.IntRange(1, 65535), default=4200, show_default=True, help="The port on this machine.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def ui(*, stacks: Stacks, port: int, no_browser: bool) -> None:
    """Wake the host, and open its Prefect in your browser until Ctrl-C.

    The connection goes through SSM of AWS: the host has no open port. This needs AWS's session-manager-plugin.
    """
    from dockercise_prefect.aws.operating.deployed import needed_stack
    from dockercise_prefect.aws.operating.tunnel import checked_plugin

    stack = needed_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    own = stack.parameters.get("PrefectApiUrl", "")
    if own:
        _open(own.rstrip("/").removesuffix("/api"), no_browser=no_browser)
        return
    plugin = checked_plugin()
    with as_interrupt():
        _show(stacks, stack, port, plugin, no_browser=no_browser)


def _show(stacks: Stacks, stack: Deployed, port: int, plugin: str, *, no_browser: bool) -> None:
    from dockercise_prefect.aws.operating.sleep import wake
    from dockercise_prefect.aws.operating.tunnel import tunnel
    from dockercise_prefect.aws.operating.up import readiness

    wake(stacks, RENEWED_SECONDS)
    readiness(stacks, stack, click.echo).wait_until_awake()
    try:
        with tunnel(stacks.account, stack.output("HostId"), port, plugin, stacks.clock) as way:
            _open(way.url, no_browser=no_browser)
            click.echo("Ctrl-C closes it")
            signed = stacks.clock.now()
            while way.is_open:
                if stacks.clock.now() - signed > SIGN_SECONDS:
                    signed = stacks.clock.now()
                    wake(stacks, RENEWED_SECONDS)
                stacks.clock.pause()
        click.echo("the connection to the host has ended", err=True)
    except KeyboardInterrupt:
        click.echo("closed; the host sleeps when it has no work")


def _open(url: str, *, no_browser: bool) -> None:
    click.echo(url)
    if not no_browser:
        webbrowser.open(url)
