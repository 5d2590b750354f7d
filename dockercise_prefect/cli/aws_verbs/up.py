"""`aws up`: makes the stack and connects a repository, or brings both up to date."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.aws_verbs.stack_options import hint_options, role_lines, takes_stack
from dockercise_prefect.cli.github_options import takes_github
from dockercise_prefect.cli.present.stack import cost_lines
from dockercise_prefect.cli.registration_options import MakeRequest, given_options, takes_registration_in_stack
from dockercise_prefect.errors import UsageError
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dockercise_prefect.aws.operating.changing import Change
    from dockercise_prefect.aws.operating.package import Package
    from dockercise_prefect.aws.operating.up import Plan, Stacks

LOGIN_VARIABLES = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
"""The variables with the login of the user's own Prefect, as Prefect itself names them."""

_VALUES = {
    "instance_type": "InstanceType",
    "idle_minutes": "IdleMinutes",
    "email": "Email",
    "budget": "BudgetDollars",
    "prefect_api_url": "PrefectApiUrl",
    "jobs": "Jobs",
}
"""The parameter of the template that each option sets."""


@click.command
@click.argument("repository", metavar="[OWNER/REPO | URL]", required=False)
@takes_stack
@click.option("--instance-type", metavar="TYPE", help="The size of the host, such as t3.large.  [default: t3.medium]")
@click.option("--idle-minutes", metavar="N", help="The host sleeps after so many minutes without work.  [default: 10]")
@click.option("--email", metavar="ADDRESS", help="Where alarms are sent; default: there are none.")
@click.option("--budget", metavar="DOLLARS", help="Warn when a month costs more; default: no budget.")
@click.option("--prefect-api-url", metavar="URL", help="The API of your own Prefect; default: Prefect runs on the host.")
@click.option("--jobs", flag_value="true", help="Let jobs of another account use the engine of the host.")
@click.option("--no-jobs", "jobs", flag_value="false", help="Let no jobs in any more.")
@click.option("--package", metavar="PACKAGE", help="What the host installs; default: the dockercise that runs here.")
@click.option("--new-image", is_flag=True, help="Make the host anew, from the newest image of Debian; its volume stays.")
@click.option("--parameter", "others", metavar="NAME=VALUE", multiple=True, help="Any other parameter of the stack.")
@takes_github
@click.option("--statuses", is_flag=True, help="Show runs as commit statuses; this stores the token in the stack.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@takes_registration_in_stack
def up(
    *,
    stacks: Stacks,
    repository: str | None,
    package: str | None,
    new_image: bool,
    others: tuple[str, ...],
    token_env: str | None,
    api: str | None,
    statuses: bool,
    yes: bool,
    dry_run: bool,
    request: MakeRequest,
    **values: str | None,
) -> None:
    """Make a Docker host in your account of AWS that pushes wake, and connect a repository to it.

    The stack has a webhook, a queue for pushes, a bucket for results, and a host that sleeps when it has no work. What it costs
    is shown first.

    OWNER/REPO on GitHub gets a webhook and a read-only deploy key, as with `dockercise connect`, with the same options. For a
    URL of another host, the webhook and the key are shown, to enter them there. Without either, you can choose one of the
    repositories that you administer on GitHub, if this is a terminal and the stack has no repository yet.

    Again: what has changed is brought up to date, and nothing else is touched. `dockercise aws down` takes the stack away.
    """
    from dockercise_prefect.aws.operating.up import Wish, carry_out, expected_changes, plan
    from dockercise_prefect.cli.aws_verbs import connection

    with as_interrupt(), tempfile.TemporaryDirectory(prefix="dockercise-package-") as scratch:
        if repository is None and not (yes or dry_run):
            repository = connection.chosen(stacks, token_env, api)
        useless = [*given_options(click.get_current_context()), *(["--statuses"] if statuses else [])]
        if repository is None and useless:
            raise UsageError(f"{useless[0]} cannot be used without a repository", "name one as OWNER/REPO")
        link = connection.Link.read(repository, api, token_env, statuses=statuses) if repository is not None else None
        options = connection.stack_options(request(link.source)) if link is not None else None
        login = _login(values["prefect_api_url"])
        wish = Wish(values=_values(values, others), package=_package(package, Path(scratch)), with_new_image=new_image)
        who = stacks.account.identity()
        planned = plan(stacks, wish, click.echo)
        click.echo(f"account {who.account} · {stacks.account.region} · {who.arn}")
        for line in (*role_lines(stacks), *_shown(planned, stacks)):
            click.echo(line)
        if dry_run:
            _show_changes(expected_changes(stacks, planned))
            return
        try:
            outcome = carry_out(stacks, planned, login, lambda changes: _agree(changes, yes=yes), click.echo)
            connected = link is not None and connection.connect(stacks, outcome.stack, link, options)
        except KeyboardInterrupt:
            _interrupted(stacks)
            raise
        if not outcome.changed and not connected:
            click.echo("nothing to do")
            return
        for line in _next(stacks, outcome.stack.output("WebhookUrl"), link.words if link else None):
            click.echo(line)


def _values(given: Mapping[str, str | None], others: tuple[str, ...]) -> dict[str, str]:
    values = {_VALUES[name]: value for name, value in given.items() if value is not None}
    for option in others:
        name, separator, value = option.partition("=")
        if not (name and separator):
            raise UsageError(f"--parameter: `{option}` has no value", "write NAME=VALUE, such as SilentHours=6")
        values[name] = value
    return values


def _login(prefect_api_url: str | None) -> dict[str, str]:
    if not prefect_api_url:
        return {}
    return {name: os.environ[name] for name in LOGIN_VARIABLES if os.environ.get(name)}


def _package(named: str | None, scratch: Path) -> Package:
    from dockercise_prefect.aws.operating.package import named_package, own_package

    return named_package(named) if named is not None else own_package(scratch)


def _shown(planned: Plan, stacks: Stacks) -> list[str]:
    name = stacks.names.stack
    found = "exists; what has changed is brought up to date" if planned.existing else "will be made:"
    lines = [f"stack {name} {found}"]
    if planned.existing is None:
        prefect = "Prefect runs on it" if planned.has_own_prefect else "it uses your own Prefect"
        lines += [
            "  a webhook (Lambda), a queue for pushes, a private bucket for results, logs in CloudWatch",
            f"  a host, {planned.instance_type}, which sleeps after {planned.idle_minutes} minutes without work; {prefect}",
            "  a network of its own, into which nothing can connect; roles with the rights that these parts need",
        ]
        if planned.volume is not None:
            lines.append(
                f"  the host uses volume {planned.volume.id} ({planned.volume.gib} GiB), which an earlier stack has left"
            )
    return [*lines, *cost_lines(planned.cost, planned.instance_type, stacks.account.region)]


def _agree(changes: tuple[Change, ...], *, yes: bool) -> None:
    _show_changes(changes)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked, since this is not a terminal", "add --yes to agree")
    click.confirm("go on?", abort=True)


def _show_changes(changes: tuple[Change, ...]) -> None:
    from dockercise_prefect.aws.operating.changing import shown_changes

    for line in shown_changes(changes):
        click.echo(f"  {line}")


def _interrupted(stacks: Stacks) -> None:
    from dockercise_prefect.aws.operating.deployed import find_stack

    found, options = find_stack(stacks.account.client("cloudformation"), stacks.names.stack), hint_options(stacks)
    if found is None:
        click.echo(f"interrupted: there is no stack {stacks.names.stack}", err=True)
        return
    goes_on = "CloudFormation goes on by itself; " if found.is_changing else ""
    click.echo(f"interrupted: the stack {found.name} is {found.status}. {goes_on}the same command continues,", err=True)
    click.echo(f"and `dockercise aws down{options}` takes it away", err=True)


def _next(stacks: Stacks, webhook: str, repository: str | None) -> list[str]:
    options = hint_options(stacks)
    lines = [f"pushes are received at {webhook}"] if webhook else []
    first = "git push" if repository else f"dockercise aws up{options} OWNER/REPO"
    what = f"a push to {repository} starts a run" if repository else "connects a repository"
    commands = {
        first: what,
        f"dockercise aws status{options}": "shows the host, its work and what it costs",
        f"dockercise aws logs{options} -f": "prints the output of stages as it comes",
        f"dockercise aws ui{options}": "opens Prefect's UI",
    }
    width = max(map(len, commands))
    return [*lines, "next:", *(f"  {command:<{width}}  {what}" for command, what in commands.items())]
