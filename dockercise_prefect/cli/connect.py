"""`connect` and `disconnect`: connects a repository on GitHub to this Prefect, and disconnects it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from dockercise_prefect.cli.registration_options import (
    MakeRequest,
    reporting,
    takes_registration_of_connected,
    worker_command,
)
from dockercise_prefect.errors import UsageError
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.deployments import Deployed

TOKEN_VARIABLE = "GITHUB_TOKEN"  # noqa: S105  a name

Command = TypeVar("Command", bound=Callable[..., None])


def _takes_github(command: Command) -> Command:
    options = (
        click.option(
            "--token-env",
            metavar="NAME",
            default=TOKEN_VARIABLE,
            show_default=True,
            help="The environment variable with a GitHub token.",
        ),
        click.option("--api", metavar="URL", help="The API of GitHub Enterprise, such as https://github.example.com/api/v3."),
        click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command
@click.argument("repository", metavar="OWNER/REPO")
@click.option(
    "--webhook-url", metavar="URL", required=True, help="The address at which GitHub reaches your `dockercise webhook`."
)
@_takes_github
@click.option("--statuses", is_flag=True, help="Show runs as commit statuses; this stores a token in Prefect.")
@click.option("--statuses-token-env", metavar="NAME", help="The variable with the token to store; default: --token-env.")
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
    """Connect OWNER/REPO on GitHub, so that each push starts a run.

    This adds a read-only deploy key and a webhook to the repository, stores the private key and the webhook's secret in Prefect
    Secret blocks, and registers the pipeline like `dockercise register`, with the same options. If a step fails, the steps
    before it are undone. Connect again to update everything and to replace the key.

    The token needs “Administration” and “Webhooks” (read and write) for this repository, and “Commit statuses” for --statuses.
    Create one on GitHub under Settings, Developer settings, Fine-grained tokens. `dockercise disconnect OWNER/REPO` undoes
    everything.
    """
    from dockercise_prefect.connect.connection import checked_webhook_url
    from dockercise_prefect.hosts.github import GitHub, checked_name
    from dockercise_prefect.hosts.github_site import PUBLIC_API

    checked_name(repository)
    checked_webhook_url(webhook_url)
    github = GitHub(_token(token_env), api or PUBLIC_API, token_env)
    if statuses_token_env and not statuses:
        raise UsageError("--statuses-token-env cannot be used without --statuses", "add --statuses")
    statuses_token = _token(statuses_token_env or token_env) if statuses else None
    request("https://github.com/" + repository)  # report wrong options before any other work
    with reporting(), as_interrupt():
        from dockercise_prefect.cli.registrar import CliRegistrar
        from dockercise_prefect.connect import connecting

        wish = connecting.Wish(repository=repository, webhook_url=webhook_url, statuses_token=statuses_token)
        found = connecting.survey(wish, github)
        click.echo(f"{found.repository.full_name} on {github.host}: {found.repository.visibility}")
        if webhook_url.startswith("http://"):
            click.echo("warning: pushes would be sent in clear text: use an https address for --webhook-url", err=True)
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
@click.option("--webhook-url", metavar="URL", help="The webhook to remove, if it cannot be identified otherwise.")
@_takes_github
def disconnect(*, repository: str, webhook_url: str | None, token_env: str, api: str | None, dry_run: bool) -> None:
    """Undo what `dockercise connect OWNER/REPO` did: remove the webhook, deploy key, deployment and Secret blocks.

    Parts that are already gone are not an error. Past runs and their records are kept.
    """
    from dockercise_prefect.connect.connection import checked_webhook_url
    from dockercise_prefect.hosts.github import GitHub, checked_name
    from dockercise_prefect.hosts.github_site import PUBLIC_API

    checked_name(repository)
    if webhook_url is not None:
        checked_webhook_url(webhook_url)
    github = GitHub(_token(token_env), api or PUBLIC_API, token_env)
    with reporting(), as_interrupt():
        from dockercise_prefect.cli.registrar import CliRegistrar
        from dockercise_prefect.connect import disconnecting

        found = disconnecting.parts(repository, webhook_url, github, CliRegistrar(None, click.echo), click.echo)
        if not found:
            click.echo(f"{repository} is not connected: there is nothing to remove")
        elif dry_run:
            for part in found:
                click.echo(f"would remove: {part.what}")
        else:
            disconnecting.disconnect(found, click.echo)


def _token(variable: str) -> str:
    from dockercise_prefect.hosts.github_errors import HOW_TO_MAKE_ONE

    token = os.environ.get(variable)
    if not token:
        raise UsageError(f"{variable} is not set", f"export {variable}=… with a token; {HOW_TO_MAKE_ONE}")
    return token


def _next(repository: str, webhook_url: str, deployed: Deployed | None) -> list[str]:
    lines = [f"a push to {repository} starts a run when `dockercise webhook` answers at {webhook_url} and a worker is running:"]
    return [*lines, f"  {worker_command(deployed)}"] if deployed else lines
