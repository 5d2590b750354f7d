"""`aws down`: takes a stack away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.aws_verbs.stack_options import hint_options, takes_stack
from dockercise_prefect.cli.github_options import find_token, github_with, say_origin, takes_github
from dockercise_prefect.errors import DockerciseError, ExitStatus, UsageError
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.down import Remains
    from dockercise_prefect.aws.operating.up import Stacks
    from dockercise_prefect.hosts.github import GitHub


@click.command
@takes_stack
@takes_github
@click.option("--everything", is_flag=True, help="Also delete the bucket with all records, and the volume.")
@click.option("--yes", is_flag=True, help="Do not ask. With --everything, the name of the stack is asked for all the same.")
def down(*, stacks: Stacks, token_env: str | None, api: str | None, everything: bool, yes: bool) -> int:
    """Take the stack away: its host, queue, webhook, logs and secrets, and what connects repositories to it.

    The bucket with the records and the volume of the host stay, unless you add --everything. A later `dockercise aws up` uses
    the volume again. Exit status 4 if there is nothing to take away.
    """
    from dockercise_prefect.aws.operating.down import delete_kept, delete_parameters, remains

    if everything and stacks.rules is not None:
        hint = "without --everything, the stack goes away; whoever owns the account deletes the bucket and the volume"
        raise UsageError("this role may not delete records: --everything cannot be used with it", hint)
    with as_interrupt():
        found = remains(stacks)
        kept = (*found.buckets, *found.volumes)
        if found.is_nothing or (not everything and found.stack is None and not found.parameters):
            click.echo(f"there is no stack {stacks.names.stack} in {stacks.account.region}", err=True)
            _show_kept(found, hint_options(stacks))
            return ExitStatus.NOTHING_TO_DO
        _agree(stacks, found, everything=everything, yes=yes)
        try:
            for line in _disconnected(stacks, found, _github(api, token_env)):
                click.echo(line)
            delete_parameters(found, click.echo)
            if found.stack is not None:
                click.echo(f"deleting the stack {found.stack.name}")
                stacks.changes.delete(found.stack.id)
            if everything:
                delete_kept(stacks, found, click.echo)
        except KeyboardInterrupt:
            _interrupted(stacks)
            raise
        click.echo(f"the stack {stacks.names.stack} is gone")
        if kept and not everything:
            _show_kept(found, hint_options(stacks))
    return ExitStatus.DONE


def _agree(stacks: Stacks, found: Remains, *, everything: bool, yes: bool) -> None:
    name = stacks.names.stack
    if not sys.stdin.isatty() and (everything or not yes):
        hint = "type the command in a terminal" if everything else "add --yes to agree"
        raise UsageError("nobody can be asked, since this is not a terminal", hint)
    if everything:
        click.echo("this deletes for ever:")
        for thing in (*found.buckets, *found.volumes):
            click.echo(f"  {thing}")
        if click.prompt(f"type the name of the stack to go on ({name})", prompt_suffix=": ") != name:
            raise UsageError(f"that is not {name}", "nothing was changed")
    elif not yes:
        click.confirm(f"take the stack {name} away?", abort=True)


def _github(api: str | None, variable: str | None) -> GitHub | None:
    """The GitHub of the user's token; None if the user has none, and did not name one."""
    try:
        token = find_token(variable, api)
    except UsageError:
        if variable is not None:
            raise
        return None
    say_origin(token)
    return github_with(token, api)


def _disconnected(stacks: Stacks, found: Remains, github: GitHub | None) -> Iterator[str]:
    """Remove webhooks and deploy keys where that is possible, and say what is left."""
    from dockercise_prefect.aws.repository import StackRepository
    from dockercise_prefect.connect.disconnecting import disconnect, parts_on_github

    webhook = found.stack.output("WebhookUrl") if found.stack else None
    for one in stacks.parameters().repositories():
        repository = one.repository
        if not isinstance(repository, StackRepository):
            yield f"{one.name} cannot be read: remove its webhook and its deploy key yourself"
            continue
        host, _, name = repository.address.removeprefix("https://").partition("/")
        if github is None or github.host != host:
            yield f"remove these yourself from {repository.address}: the webhook to {webhook}, and its deploy key"
            continue
        said: list[str] = []
        try:
            current = github.repository(name).full_name
            disconnect(parts_on_github(current, webhook, github, [repository.deploy_key], said.append), said.append)
        except DockerciseError as error:
            said.append(f"remove these yourself from {repository.address}: the webhook to {webhook}, and its deploy key")
            said.append(f"  since {error.message}")
        yield from said


def _interrupted(stacks: Stacks) -> None:
    from dockercise_prefect.aws.operating.deployed import find_stack

    left = find_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    state = left.status if left else "gone"
    goes_on = "CloudFormation goes on by itself; " if left and left.is_changing else ""
    click.echo(
        f"interrupted: the stack {stacks.names.stack} is {state}. {goes_on}the same command takes the rest away", err=True
    )


def _show_kept(found: Remains, options: str) -> None:
    for thing in (*found.buckets, *found.volumes):
        click.echo(f"kept: {thing}")
    if found.buckets or found.volumes:
        click.echo(f"`dockercise aws down{options} --everything` deletes this too")
