"""`aws wake` and `aws sleep`: wakes the host of a stack, and lets it sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.aws_verbs.stack_options import Duration, hint_options, takes_stack
from dockercise_prefect.quantities import shown_seconds

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.up import Stacks


@click.command
@takes_stack
@click.option("--for", "seconds", type=Duration(), default="30m", show_default=True, help="How long it stays awake at least.")
def wake(*, stacks: Stacks, seconds: float) -> None:
    """Wake the host, and keep it awake for a time even if it has no work."""
    from dockercise_prefect.aws.operating.sleep import DOOR_MINUTES, Woken
    from dockercise_prefect.aws.operating.sleep import wake as start

    found = start(stacks, seconds)
    said = {
        Woken.AWAKE: "the host is awake",
        Woken.STARTING: "the host is starting",
        Woken.LATER: f"the host is still stopping, or its zone has no room: a start is tried every {DOOR_MINUTES} minutes",
    }[found]
    click.echo(f"{said}, and stays awake for {shown_seconds(seconds)} at least")
    click.echo(f"`dockercise aws status{hint_options(stacks)}` shows it")


@click.command
@takes_stack
@click.option("--force", is_flag=True, help="Even if it has work: runs are ended, pushes and records are kept.")
def sleep(*, stacks: Stacks, force: bool) -> None:
    """Let the host sleep now, if it has no work.

    A push, or a schedule that is due, wakes it again.
    """
    from dockercise_prefect.aws.operating import sleep as sleeping

    was_awake = sleeping.force_sleep(stacks) if force else sleeping.sleep(stacks)
    click.echo("the host is going to sleep" if was_awake else "the host sleeps already")
