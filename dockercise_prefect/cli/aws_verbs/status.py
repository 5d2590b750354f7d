"""`aws status`: shows a stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.aws_verbs.stack_options import takes_stack
from dockercise_prefect.errors import DockerciseError, ExitStatus

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.up import Stacks


class _NoStackHereError(DockerciseError):
    """There is no stack, which this command reports with the status of a system that is not there."""

    exit_status = ExitStatus.ENGINE_FAILED


@click.command
@takes_stack
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, stacks: Stacks, as_json: bool) -> None:
    """Show the host of a stack, its work, what it waits for, and what it has cost in this month.

    The exit status is 3 if the stack does not exist.
    """
    from dockercise_prefect.aws.operating.deployed import NoStackError
    from dockercise_prefect.aws.operating.status import status as look
    from dockercise_prefect.cli.present.stack import status_lines

    try:
        found = look(stacks)
    except NoStackError as error:
        raise _NoStackHereError(error.message, error.hint) from error
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    for line in status_lines(found):
        click.echo(line)
