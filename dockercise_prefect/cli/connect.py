"""`connect` and `disconnect`: a repository on GitHub and this Prefect, tied together and let go again."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from dockercise_prefect.cli.registering import (
    MakeRequest,
    reporting,
    takes_registration_of_connected,
    worker_command,
)
from dockercise_prefect.cli.signals import as_interrupt
from dockercise_prefect.errors import UsageError

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.deployments import Deployed

TOKEN_VARIABLE = "GITHUB_TOKEN"  # noqa: S105  a name

Command = TypeVar("Command", bound=Callable[..., None])


def _takes_github(command: Command) -> Command:
    options = (
        click.option(
            "--token-env",
            metavar="NAME",
            default=TOKEN_VARIABLE,
            show_default=True,
            help="The environment variable that holds a token of GitHub.",
        ),
        click.option("--api", metavar="URL", help="GitHub Enterprise's API, say https://github.example.com/api/v3."),
        click.option("--dry-run", is_flag=True, help="Look, say what would be done, and do nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command
@click.argument("repository", metavar="OWNER/REPO")
@click.option("--webhook-url", metavar="URL", required=True, help="Where your `dockercise webhook` is reached from GitHub.")
@_takes_github
@click.option("--statuses", is_flag=True, help="Show runs beside commits; this stores a token in Prefect.")
@click.option("--statuses-token-env", metavar="NAME", help="The variable with the token that is stored; default: --token-env.")
@takes_registration_of_connected
def connect(
    *,
    repository: str,
    webhook_url: str,
    token_env: str,
    api: str | None,
    dry_run: bool,
    statuses: bool,
    statuses_token_env: str | None,
    request: MakeRequest,
) -> None:
    """Connect OWNER/REPO on GitHub: from then on, a push starts a run.

    A read-only deploy key and a webhook are added there; the key's private half and the webhook's secret are kept in Secret
    blocks here; the pipeline is registered as `dockercise register` does, with the same options. When a step fails, what was
    done before it is undone. Connecting again brings everything up to date and takes a new key.

    The token needs, for this repository, “Administration” and “Webhooks” (read and write), for --statuses “Commit statuses”
    too. GitHub makes one under Settings, Developer settings, Fine-grained tokens.
    `dockercise disconnect OWNER/REPO` undoes it all.
    """
    from dockercise_prefect.webhook.connection import checked_webhook_url
    from dockercise_prefect.webhook.github import PUBLIC_API, GitHub, checked_name

    checked_name(repository)
    checked_webhook_url(webhook_url)
    github = GitHub(_token(token_env), api or PUBLIC_API, token_env)
    if statuses_token_env and not statuses:
        raise UsageError("--statuses-token-env names a token for --statuses, which is not given", "add --statuses")
    statuses_token = _token(statuses_token_env or token_env) if statuses else None
    request("https://github.com/" + repository)  # what is wrong with the options is said before anything is looked at
    with reporting(), as_interrupt():
        from dockercise_prefect.cli.registrar import CliRegistrar
        from dockercise_prefect.webhook import connecting

        wish = connecting.Wish(repository=repository, webhook_url=webhook_url, statuses_token=statuses_token)
        found = connecting.survey(wish, github)
        click.echo(f"{found.repository.full_name} on {github.host}: {found.repository.visibility}")
        if webhook_url.startswith("http://"):
            click.echo("warning: pushes would be sent in clear text: give --webhook-url an https address", err=True)
        if dry_run:
            for line in found.plan():
                click.echo(line)
            return
        registrar = CliRegistrar(request, click.echo)
        connecting.connect(found, github, registrar, click.echo)
        for line in _next(found.repository.full_name, webhook_url, registrar.deployed):
            click.echo(line)


@click.command
@click.argument("repository", metavar="OWNER/REPO")
@click.option("--webhook-url", metavar="URL", help="Which webhook is ours, where nothing else tells.")
@_takes_github
def disconnect(*, repository: str, webhook_url: str | None, token_env: str, api: str | None, dry_run: bool) -> None:
    """Undo what `dockercise connect OWNER/REPO` has done: webhook, deploy key, deployment, Secret blocks.

    What is gone already is no failure. Runs that were stay in Prefect, and so do their records.
    """
    from dockercise_prefect.webhook.connection import checked_webhook_url
    from dockercise_prefect.webhook.github import PUBLIC_API, GitHub, checked_name

    checked_name(repository)
    if webhook_url is not None:
        checked_webhook_url(webhook_url)
    github = GitHub(_token(token_env), api or PUBLIC_API, token_env)
    with reporting(), as_interrupt():
        from dockercise_prefect.cli.registrar import CliRegistrar
        from dockercise_prefect.webhook import disconnecting

        found = disconnecting.parts(repository, webhook_url, github, CliRegistrar(None, click.echo), click.echo)
        if not found:
            click.echo(f"{repository} is not connected: there is nothing to remove")
        elif dry_run:
            for part in found:
                click.echo(f"would remove: {part.what}")
        else:
            disconnecting.disconnect(found, click.echo)


def _token(variable: str) -> str:
    from dockercise_prefect.webhook.github_words import HOW_TO_MAKE_ONE

    token = os.environ.get(variable)
    if not token:
        raise UsageError(f"{variable} is not set", f"export {variable}=… with a token; {HOW_TO_MAKE_ONE}")
    return token


def _next(repository: str, webhook_url: str, deployed: Deployed | None) -> list[str]:
    lines = [f"a push to {repository} starts a run when `dockercise webhook` answers at {webhook_url} and a worker runs:"]
    return [*lines, f"  {worker_command(deployed)}"] if deployed else lines
