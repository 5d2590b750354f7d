"""`connect` and `disconnect`: connects a repository on GitHub to this Prefect, and disconnects it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.github_options import (
    find_token,
    github_with,
    say_origin,
    takes_github,
    token_for_statuses,
    token_in,
)
from dockercise_prefect.cli.registration_options import (
    MakeRequest,
    reporting,
    takes_registration_of_connected,
    worker_command,
)
from dockercise_prefect.cli.repository_choice import chosen_on_terminal, refuse_without_terminal
from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.deployments import Deployed

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")


@click.command
@click.argument("repository", metavar="[OWNER/REPO]", required=False)
@click.option(
    "--webhook-url", metavar="URL", required=True, help="The address at which GitHub reaches your `dockercise webhook`."
)
@takes_github
@_DRY_RUN
@click.option("--statuses", is_flag=True, help="Show runs as commit statuses; this stores a token in Prefect.")
@click.option(
    "--statuses-token-env", metavar="NAME", help="The variable with the token to store; default: the token that connects."
)
@takes_registration_of_connected
def connect(
    *,
    repository: str | None,
    webhook_url: str,
    token_env: str | None,
    api: str | None,
    dry_run: bool,
    statuses: bool,
    statuses_token_env: str | None,
    request: MakeRequest,
) -> None:
    """Connect OWNER/REPO on GitHub, so that each push starts a run.

    On a terminal, without OWNER/REPO, you choose one of the repositories that you administer.

    This adds a read-only deploy key and a webhook to the repository, stores the private key and the webhook's secret in Prefect
    Secret blocks, and registers the pipeline like `dockercise register`, with the same options. If a step fails, the steps
    before it are undone. Connect again to update everything and to replace the key.

    The token needs “Administration” and “Webhooks” (read and write) for this repository, and “Commit statuses” for --statuses.
    `dockercise login github` gets one. `dockercise disconnect OWNER/REPO` undoes everything.
    """
    from dockercise_prefect.connect.connection import checked_webhook_url
    from dockercise_prefect.hosts.github import checked_name

    if repository is None:
        refuse_without_terminal("dockercise connect OWNER/REPO")
    else:
        checked_name(repository)
    checked_webhook_url(webhook_url)
    token = find_token(token_env, api)
    github = github_with(token, api)
    if statuses_token_env and not statuses:
        raise UsageError("--statuses-token-env cannot be used without --statuses", "add --statuses")
    statuses_token = token_for_statuses(token_in(statuses_token_env) if statuses_token_env else token) if statuses else None
    asked = request("https://github.com/" + (repository or "acme/infra"))  # report wrong options before any other work
    say_origin(token)
    if repository is None:
        with as_interrupt():
            repository = chosen_on_terminal(github.administered())
    with reporting(), as_interrupt():
        from dockercise_prefect.cli.registrar import CliRegistrar
        from dockercise_prefect.connect import connecting
        from dockercise_prefect.connect.connection import BlockNames
        from dockercise_prefect.connect.prefect_store import PrefectStore

        registrar = CliRegistrar(request, click.echo)
        wish = connecting.Wish(
            repository=repository,
            webhook_url=webhook_url,
            statuses_token=statuses_token,
            pull_requests=asked.registration.pull_requests is not PullRequests.NEVER,
        )
        found = connecting.survey(
            wish, github, lambda known: PrefectStore(BlockNames.of(github.host, known.full_name), registrar)
        )
        click.echo(f"{found.repository.full_name} on {github.host}: {found.repository.visibility}")
        if webhook_url.startswith("http://"):
            click.echo("warning: pushes would be sent in clear text: use an https address for --webhook-url", err=True)
        if dry_run:
            for line in found.plan():
                click.echo(line)
            return
        connecting.connect(found, github, click.echo)
        for line in _next(found.repository.full_name, webhook_url, registrar.deployed):
            click.echo(line)


@click.command
@click.argument("repository", metavar="OWNER/REPO")
@click.option("--webhook-url", metavar="URL", help="The webhook to remove, if it cannot be identified otherwise.")
@takes_github
@_DRY_RUN
def disconnect(*, repository: str, webhook_url: str | None, token_env: str | None, api: str | None, dry_run: bool) -> None:
    """Undo what `dockercise connect OWNER/REPO` did: remove the webhook, deploy key, deployment and Secret blocks.

    Parts that are already gone are not an error. Past runs and their records are kept.
    """
    from dockercise_prefect.connect.connection import checked_webhook_url
    from dockercise_prefect.hosts.github import checked_name

    checked_name(repository)
    if webhook_url is not None:
        checked_webhook_url(webhook_url)
    token = find_token(token_env, api)
    github = github_with(token, api)
    say_origin(token)
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


def _next(repository: str, webhook_url: str, deployed: Deployed | None) -> list[str]:
    lines = [f"a push to {repository} starts a run when `dockercise webhook` answers at {webhook_url} and a worker is running:"]
    return [*lines, f"  {worker_command(deployed)}"] if deployed else lines
