"""`login` and `logout`: keeps a user's login to GitHub on this machine, and removes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.github_options import TOKEN_VARIABLE, FoundToken, github_with, token_in, token_of_program
from dockercise_prefect.connect.logins import Login, Logins
from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.github_site import PUBLIC_HOST, GitHubSite
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.hosts.github import User

_KIND = click.argument("kind", metavar="github", type=click.Choice(["github"]))
_HOST = click.option(
    "--host",
    metavar="HOST",
    default=PUBLIC_HOST,
    show_default=True,
    help="Your GitHub Enterprise, such as github.example.com.",
)


@click.command
@_KIND
@_HOST
def login(*, kind: str, host: str) -> None:
    """Log in with your GitHub account, for `dockercise connect`.

    With the setting `github_client_id`, you type a code on a page of GitHub. Otherwise the token of `gh` is used, or the one in
    GITHUB_TOKEN. It is kept in your data folder, in a file that only you can read. `dockercise logout github` removes it.
    """
    del kind
    site, settings = GitHubSite.of(host), read_settings()
    with as_interrupt():
        token = _by_code(site, settings.github_client_id) if settings.github_client_id else _at_hand(site)
        user = github_with(token, site.api).user()
    kept = Logins(settings.data).keep(Login(host=site.host, user=user.name, token=token.text, ends=token.ends))
    for line in _told(site, user, token, kept):
        click.echo(line)


@click.command
@_KIND
@_HOST
def logout(*, kind: str, host: str) -> None:
    """Remove your login to GitHub from this machine."""
    del kind
    site = GitHubSite.of(host)
    if not Logins(read_settings().data).remove(site.host):
        click.echo(f"you are not logged in to {site.host}: there is nothing to remove")
        return
    click.echo(f"logged out of {site.host}: the token is removed from this machine")
    click.echo("GitHub accepts the token until you revoke it there, under Settings, Applications or Developer settings")


def _by_code(site: GitHubSite, client_id: str) -> FoundToken:
    from dockercise_prefect.hosts.device_flow import DeviceFlow

    flow = DeviceFlow(site, client_id)
    code = flow.start()
    click.echo(f"open {code.address} and type the code {code.user_code}")
    granted = flow.wait(code)
    ends = None if granted.seconds is None else datetime.now(UTC) + timedelta(seconds=granted.seconds)
    return FoundToken(granted.token, "GitHub's device flow", ends)


def _at_hand(site: GitHubSite) -> FoundToken:
    if token := token_of_program(site.host):
        return token
    if os.environ.get(TOKEN_VARIABLE):
        return token_in(TOKEN_VARIABLE)
    raise UsageError(
        f"there is nothing to log in to {site.host} with",
        f"log in with `gh auth login --hostname {site.host}`, or export {TOKEN_VARIABLE}=… with a token, "
        "or set `github_client_id` to the client id of an app on GitHub",
    )


def _told(site: GitHubSite, user: User, token: FoundToken, kept: Path) -> Iterator[str]:
    until = f", until {token.ends:%H:%M UTC on %d %B %Y}" if token.ends else ""
    yield f"logged in to {site.host} as {user.name}, with {token.origin}{until}"
    if not user.scopes:
        yield "GitHub does not say which rights this token has"
    else:
        yield f"its rights: {', '.join(user.scopes)}" + ("" if "repo" in user.scopes else "; `dockercise connect` needs `repo`")
    yield f"kept in {kept}, which only you can read"
    if os.environ.get(TOKEN_VARIABLE) and token.origin != TOKEN_VARIABLE:
        yield f"{TOKEN_VARIABLE} is set, and is used instead of this login"
