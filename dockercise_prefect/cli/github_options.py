"""The options of commands that speak with GitHub, and the token that they use."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from dockercise_prefect.connect.gh_program import token_of_gh
from dockercise_prefect.connect.logins import Logins
from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.github_site import PUBLIC_API, login_host
from dockercise_prefect.settings import read_settings

if TYPE_CHECKING:
    from dockercise_prefect.hosts.github import GitHub

TOKEN_VARIABLE = "GITHUB_TOKEN"  # noqa: S105  a name

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token for GitHub.

    Attributes:
        text: the token.
        origin: where it came from, as the words after “the token in”: `GITHUB_TOKEN`, `the login of octocat`.
        ends: when GitHub stops accepting it; None if that is not known.
    """

    text: str = field(repr=False)
    origin: str
    ends: datetime | None = None


def takes_github(command: Command) -> Command:
    """Add `--token-env` and `--api`. The function gets them as `token_env` and `api`, for `find_token` and `github_with`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find_token(token_env: str | None, api: str | None) -> FoundToken:
    """The token for a GitHub: of the variable that the user names, else GITHUB_TOKEN, the kept login, or `gh`.

    Args:
        token_env: the name of a variable; None if the user named none.
        api: the address of GitHub's API; None for github.com.

    Raises:
        UsageError: there is none, or the address or the kept login is wrong.
    """
    if token_env is not None:
        return token_in(token_env)
    if os.environ.get(TOKEN_VARIABLE):
        return token_in(TOKEN_VARIABLE)
    host = login_host(api or PUBLIC_API)
    option = "" if host == "github.com" else f" --host {host}"
    login = Logins(read_settings().data).find(host)
    if login is not None:
        if login.ends is not None and login.ends <= datetime.now(UTC):
            hint = f"log in again with `dockercise login github{option}`"
            raise UsageError(f"the login of {login.user} to {host} has ended, at {login.ends:%H:%M UTC on %d %B %Y}", hint)
        return FoundToken(login.token, f"the login of {login.user}", login.ends)
    if token := token_of_program(host):
        return token
    hint = f"log in with `dockercise login github{option}`, or export {TOKEN_VARIABLE}=… with a token"
    raise UsageError(f"there is no token for {host}: {TOKEN_VARIABLE} is not set, and you are not logged in", hint)


def token_in(variable: str) -> FoundToken:
    """The token in a variable.

    Raises:
        UsageError: the variable is not set.
    """
    token = os.environ.get(variable)
    if not token:
        raise UsageError(f"{variable} is not set", f"export {variable}=… with a token")
    return FoundToken(token, variable)


def token_of_program(host: str) -> FoundToken | None:
    """The token that `gh` has for a GitHub; None if there is none.

    Args:
        host: the GitHub: `github.com`.
    """
    token = token_of_gh(host)
    return FoundToken(token, "the account of gh") if token else None


def github_with(token: FoundToken, api: str | None) -> GitHub:
    """The GitHub with this API, with a token.

    Args:
        token: the token.
        api: the address of its API; None for github.com.

    Raises:
        UsageError: the text of the token or of the address is not a valid one.
    """
    from dockercise_prefect.hosts.github import GitHub

    return GitHub(token.text, api or PUBLIC_API, token.origin)


def token_for_statuses(token: FoundToken) -> str:
    """The token, to be stored for commit statuses.

    Raises:
        UsageError: it ends by itself, so statuses could not be sent with it for long.
    """
    if token.ends is not None:
        hint = f"use one that stays valid: export {TOKEN_VARIABLE}=…, or name its variable"
        raise UsageError(f"{token.origin} ends soon, so commit statuses cannot be sent with it for long", hint)
    return token.text


def say_origin(token: FoundToken) -> None:
    """Say in one line on stderr which token is used: `with the login of octocat`."""
    click.echo(f"with {token.origin}", err=True)


_OPTIONS = (
    click.option(
        "--token-env",
        metavar="NAME",
        help=f"The environment variable with a GitHub token; default: {TOKEN_VARIABLE}, else your login, else `gh`.",
    ),
    click.option("--api", metavar="URL", help="The API of GitHub Enterprise, such as https://github.example.com/api/v3."),
)
