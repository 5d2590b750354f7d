"""`aws logs`: prints the logs of a stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.aws_verbs.stack_options import Duration, takes_stack
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.log_reading import LogLine
    from dockercise_prefect.aws.operating.up import Stacks

FOLLOW_SECONDS = 3.0
"""Seconds between two looks at a log group. CloudWatch shows a line some seconds after it was sent."""

_GROUPS = {"stages": "log_group", "host": "host_log_group", "door": "door_log_group"}


@click.command
@takes_stack
@click.option("--host", "group", flag_value="host", help="The log of the host itself: Prefect, worker, receiver.")
@click.option("--door", "group", flag_value="door", help="The log of the webhook.")
@click.option("--stages", "group", flag_value="stages", default=True, help="The output of stages (the default).")
@click.option("-f", "--follow", is_flag=True, help="Keep printing as lines come, until Ctrl-C.")
@click.option("--since", type=Duration(), default="1h", show_default=True, help="How far to go back, such as 30m or 24h.")
def logs(*, stacks: Stacks, group: str, follow: bool, since: float) -> int:
    """Print the output of the stages of all runs, each line after the pipeline, the run and the stage.

    Lines are kept in CloudWatch for 30 days. Exit status: 0 success, 4 there is no line.
    """
    from dockercise_prefect.aws.operating.deployed import needed_stack
    from dockercise_prefect.aws.operating.log_reading import followed, lines

    needed_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    client, name = stacks.account.client("logs"), getattr(stacks.names, _GROUPS[group])
    begin = stacks.clock.now() - since
    with as_interrupt():
        if follow:
            _print(followed(client, name, begin, lambda: time.sleep(FOLLOW_SECONDS)))
        count = _print(lines(client, name, begin))
    if not count:
        click.echo(f"the log group {name} has no line of this time", err=True)
    return ExitStatus.DONE if count else ExitStatus.NOTHING_TO_DO


def _print(found: Iterator[LogLine]) -> int:
    from dockercise_prefect.results.reading.terminal_text import plain_line

    count = 0
    for line in found:
        count += 1
        click.echo(f"{line.at:%H:%M:%S} {line.stream} | {plain_line(line.text)}")
    return count
